"""Links to devices: each yields deliveries of scans and never reopens itself."""
