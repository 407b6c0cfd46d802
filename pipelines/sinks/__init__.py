"""Stores a record can be written to."""
