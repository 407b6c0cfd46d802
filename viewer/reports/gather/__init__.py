"""From a store and the catalog to what reports are about."""
