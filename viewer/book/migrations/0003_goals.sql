-- What was promised, by whom, and who agreed: nothing here is ever changed or deleted. Times are ns since 1970 UTC.
CREATE TABLE goals (
  id INTEGER PRIMARY KEY,
  company TEXT NOT NULL,
  site TEXT NOT NULL,
  line TEXT NOT NULL,  -- empty = not one line
  machine TEXT NOT NULL,  -- empty = not one machine
  code TEXT NOT NULL CHECK (code <> ''),
  version INTEGER NOT NULL CHECK (version >= 1),
  baseline REAL,
  how TEXT NOT NULL CHECK (how IN ('', 'hand', 'measured') AND (how = '') = (baseline IS NULL)),
  note TEXT NOT NULL,  -- of a baseline by hand: where it is from
  start_ns INTEGER,  -- of one that was measured: the period, and what was in it
  end_ns INTEGER,
  samples INTEGER,
  cover REAL,
  query TEXT NOT NULL,
  digest TEXT NOT NULL,
  target REAL NOT NULL,
  weight REAL NOT NULL CHECK (weight > 0),
  dropped INTEGER NOT NULL CHECK (dropped IN (0, 1)),  -- from this version on it is no goal any more
  reason TEXT NOT NULL,
  made_ns INTEGER NOT NULL,
  made_by TEXT NOT NULL,
  CHECK (how <> 'hand' OR note <> ''),
  CHECK ((how = 'measured') = (start_ns IS NOT NULL AND end_ns IS NOT NULL AND samples IS NOT NULL)),
  CHECK (how <> 'measured' OR (samples > 0 AND start_ns < end_ns AND query <> '')),
  UNIQUE (company, site, line, machine, code, version)
);
CREATE TABLE goal_approvals (
  goal INTEGER PRIMARY KEY REFERENCES goals (id),
  approved_ns INTEGER NOT NULL,
  approved_by TEXT NOT NULL CHECK (approved_by <> '')
);
CREATE TABLE goal_caps (
  id INTEGER PRIMARY KEY,
  company TEXT NOT NULL,
  site TEXT NOT NULL,
  cap REAL CHECK (cap IN (100, 120)),  -- NULL = no limit
  reason TEXT NOT NULL,
  made_ns INTEGER NOT NULL,
  made_by TEXT NOT NULL
);
CREATE INDEX goal_caps_of_site ON goal_caps (company, site);
CREATE TABLE programme_targets (
  id INTEGER PRIMARY KEY,
  programme TEXT NOT NULL CHECK (programme <> ''),
  name TEXT NOT NULL CHECK (name <> ''),
  version INTEGER NOT NULL CHECK (version >= 1),
  unit TEXT NOT NULL,
  target REAL NOT NULL,
  actual REAL,
  measure TEXT CHECK (measure IN ('connected', 'active')),
  source TEXT NOT NULL,
  as_of TEXT,  -- day, as 2026-11-20
  dropped INTEGER NOT NULL CHECK (dropped IN (0, 1)),
  made_ns INTEGER NOT NULL,
  made_by TEXT NOT NULL,
  CHECK (actual IS NULL OR measure IS NULL),
  UNIQUE (programme, name, version)
);

-- A row that is replaced fires no trigger of DELETE: a number that is there is refused before.
CREATE TRIGGER goals_count_on BEFORE INSERT ON goals
WHEN EXISTS (SELECT 1 FROM goals WHERE id = NEW.id) OR NEW.version <> 1 + coalesce((
  SELECT max(version) FROM goals WHERE company = NEW.company AND site = NEW.site AND line = NEW.line
    AND machine = NEW.machine AND code = NEW.code), 0)
BEGIN
  SELECT RAISE(ABORT, 'a change of a goal is its next version');
END;
CREATE TRIGGER goals_say_why BEFORE INSERT ON goals
WHEN trim(NEW.reason) = '' AND EXISTS (
  SELECT 1 FROM goals JOIN goal_approvals ON goal = goals.id WHERE company = NEW.company AND site = NEW.site
    AND line = NEW.line AND machine = NEW.machine AND code = NEW.code)
BEGIN
  SELECT RAISE(ABORT, 'a change after the approval has a reason');
END;
CREATE TRIGGER goals_stay BEFORE UPDATE ON goals
BEGIN
  SELECT RAISE(ABORT, 'a goal is not changed: its next version is');
END;
CREATE TRIGGER goals_are_kept BEFORE DELETE ON goals
BEGIN
  SELECT RAISE(ABORT, 'a goal is not deleted');
END;
CREATE TRIGGER goals_are_approved_once BEFORE INSERT ON goal_approvals
WHEN EXISTS (SELECT 1 FROM goal_approvals WHERE goal = NEW.goal)
BEGIN
  SELECT RAISE(ABORT, 'a goal is approved once');
END;
CREATE TRIGGER goals_newest_is_approved BEFORE INSERT ON goal_approvals
WHEN EXISTS (
  SELECT 1 FROM goals AS old JOIN goals AS newer USING (company, site, line, machine, code)
  WHERE old.id = NEW.goal AND newer.version > old.version)
BEGIN
  SELECT RAISE(ABORT, 'only the newest version of a goal is approved');
END;
CREATE TRIGGER goal_approvals_stay BEFORE UPDATE ON goal_approvals
BEGIN
  SELECT RAISE(ABORT, 'an approval is not changed');
END;
CREATE TRIGGER goal_approvals_are_kept BEFORE DELETE ON goal_approvals
BEGIN
  SELECT RAISE(ABORT, 'an approval is not deleted');
END;
CREATE TRIGGER goal_caps_are_new BEFORE INSERT ON goal_caps
WHEN EXISTS (SELECT 1 FROM goal_caps WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'a cap is not changed');
END;
CREATE TRIGGER goal_caps_stay BEFORE UPDATE ON goal_caps
BEGIN
  SELECT RAISE(ABORT, 'a cap is not changed');
END;
CREATE TRIGGER goal_caps_are_kept BEFORE DELETE ON goal_caps
BEGIN
  SELECT RAISE(ABORT, 'a cap is not deleted');
END;
CREATE TRIGGER programme_targets_count_on BEFORE INSERT ON programme_targets
WHEN EXISTS (SELECT 1 FROM programme_targets WHERE id = NEW.id) OR NEW.version <> 1 + coalesce((
  SELECT max(version) FROM programme_targets WHERE programme = NEW.programme AND name = NEW.name), 0)
BEGIN
  SELECT RAISE(ABORT, 'a change of a target is its next version');
END;
CREATE TRIGGER programme_targets_stay BEFORE UPDATE ON programme_targets
BEGIN
  SELECT RAISE(ABORT, 'a target is not changed: its next version is');
END;
CREATE TRIGGER programme_targets_are_kept BEFORE DELETE ON programme_targets
BEGIN
  SELECT RAISE(ABORT, 'a target is not deleted');
END;
