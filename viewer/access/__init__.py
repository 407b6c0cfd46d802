"""Who may look at what: users, passwords, sessions, forms, the audit log; and where companies are kept apart."""
