"""Columns to line protocol."""
