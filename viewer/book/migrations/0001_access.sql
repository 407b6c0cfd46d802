-- Who may look, who looks now, and what was done. Times are ns since 1970 UTC.
CREATE TABLE users (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  role TEXT NOT NULL CHECK (role IN ('company', 'supplier', 'coordinator', 'manager', 'ordering', 'reader')),
  password TEXT NOT NULL,  -- argon2id, PHC string
  created_ns INTEGER NOT NULL,
  disabled_ns INTEGER
);

CREATE TABLE user_companies (
  user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  company TEXT NOT NULL CHECK (company <> ''),
  PRIMARY KEY (user, company)
) WITHOUT ROWID;

CREATE TABLE sessions (
  token BLOB PRIMARY KEY CHECK (length(token) = 32),  -- SHA-256 of what the cookie holds
  user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_ns INTEGER NOT NULL,
  seen_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_of_user ON sessions (user);

-- The code with which the first manager is made: one row at most.
CREATE TABLE first_code (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  code BLOB NOT NULL CHECK (length(code) = 32),
  until_ns INTEGER NOT NULL
);

-- Log-ins that failed, by account and by address.
CREATE TABLE tries (
  kind TEXT NOT NULL CHECK (kind IN ('account', 'address')),
  key TEXT NOT NULL,
  failures INTEGER NOT NULL,
  last_ns INTEGER NOT NULL,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;

-- Only ever grows; each row holds the hash of the one before.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  time_ns INTEGER NOT NULL,
  who TEXT NOT NULL,
  address TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
);
CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit
BEGIN
  SELECT RAISE(ABORT, 'the audit log only grows');
END;
CREATE TRIGGER audit_keeps_words BEFORE UPDATE ON audit
BEGIN
  SELECT RAISE(ABORT, 'the audit log only grows');
END;
