"""What people enter by hand: checked, kept durably, sent as records, read back. Measured values are never touched."""
