"""Chapters of reports, each a pure function of what the report is about."""
