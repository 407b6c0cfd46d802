-- What is known of a company beside its readings. An empty text = not known.
CREATE TABLE company_facts (
  company TEXT PRIMARY KEY CHECK (company <> ''),
  registration TEXT NOT NULL,  -- the part that pages show, never the whole number
  ksic TEXT NOT NULL,
  town TEXT NOT NULL,
  size TEXT NOT NULL,
  programme TEXT NOT NULL,
  year TEXT NOT NULL,
  project TEXT NOT NULL,
  level TEXT NOT NULL,
  aim TEXT NOT NULL,
  supplier TEXT NOT NULL,
  coordinator TEXT NOT NULL,
  until TEXT NOT NULL,  -- ISO date
  changed_ns INTEGER NOT NULL
) WITHOUT ROWID;
