"""Bytes of the wire to columns, without an object for each value."""
