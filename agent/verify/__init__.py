"""`agent verify`: the kept ledger against the store."""
