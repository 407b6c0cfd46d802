"""What was released, kept long after the journal let go: counts and hashes per series and hour."""
