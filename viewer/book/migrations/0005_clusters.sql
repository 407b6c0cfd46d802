-- Which cluster a company belongs to, and what a supplier (협력사) shares with a company that orders from it (발주기업).
-- An agreement is never changed or deleted: its next version says what holds. Days are of Korea, ISO 8601.
ALTER TABLE company_facts ADD COLUMN cluster TEXT NOT NULL DEFAULT '';

CREATE TABLE share_agreements (
  id INTEGER PRIMARY KEY,
  supplier TEXT NOT NULL CHECK (supplier <> ''),
  ordering TEXT NOT NULL CHECK (ordering <> '' AND ordering <> supplier),
  version INTEGER NOT NULL CHECK (version >= 1),
  level TEXT NOT NULL CHECK (level IN ('none', 'kpi', 'aggregate', 'raw')),
  kpis TEXT NOT NULL,  -- codes of figures, a space between
  compared INTEGER NOT NULL CHECK (compared IN (0, 1)),  -- whether figures that are not shared count in medians
  customer TEXT NOT NULL,  -- what the supplier calls the ordering company in its orders; empty = not said
  since TEXT NOT NULL CHECK (since <> ''),  -- first day
  until TEXT NOT NULL CHECK (until = '' OR until >= since),  -- last day; empty = until it is withdrawn
  consent_by TEXT NOT NULL,  -- who of the supplier agreed
  consent_on TEXT NOT NULL,  -- when
  basis TEXT NOT NULL,  -- where that is written
  made_ns INTEGER NOT NULL,
  made_by TEXT NOT NULL CHECK (made_by <> ''),
  CHECK ((level = 'none' AND compared = 0) OR (consent_by <> '' AND consent_on <> '')),
  UNIQUE (supplier, ordering, version)
);
CREATE INDEX share_agreements_of_ordering ON share_agreements (ordering);

CREATE TRIGGER share_agreements_count_on BEFORE INSERT ON share_agreements
WHEN EXISTS (SELECT 1 FROM share_agreements WHERE id = NEW.id) OR NEW.version <> 1 + coalesce((
  SELECT max(version) FROM share_agreements WHERE supplier = NEW.supplier AND ordering = NEW.ordering), 0)
BEGIN
  SELECT RAISE(ABORT, 'a change of an agreement is its next version');
END;
CREATE TRIGGER share_agreements_stay BEFORE UPDATE ON share_agreements
BEGIN
  SELECT RAISE(ABORT, 'an agreement is not changed: its next version is');
END;
CREATE TRIGGER share_agreements_are_kept BEFORE DELETE ON share_agreements
BEGIN
  SELECT RAISE(ABORT, 'an agreement is not deleted');
END;
