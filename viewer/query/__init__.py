"""From a store and the catalog to what key figures are made of (docs/decisions/0037)."""
