"""Tag lists: what a device offers, chosen, named and written; and tag lists in CSV, read."""
