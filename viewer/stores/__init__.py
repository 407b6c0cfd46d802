"""What the viewer and the judge read: one protocol, one module per store."""
