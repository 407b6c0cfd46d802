"""Reads stores, computes KPIs, draws pages. Never talks to a PLC."""
