"""A recording served again: its file, what its devices said at a time, and their servers."""
