"""The viewer's own small database, `viewer.db`: users, sessions, the audit log. No reading of a device is in it."""
