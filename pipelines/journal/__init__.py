"""Durable records on disk."""
