-- Of a baseline of growth (P-QTY), which is 0 %: what was made in its time, and in how much working time.
ALTER TABLE goals ADD COLUMN pieces REAL CHECK (pieces > 0);
ALTER TABLE goals ADD COLUMN worked_ns INTEGER CHECK ((worked_ns IS NULL) = (pieces IS NULL) AND coalesce(worked_ns, 1) > 0);
