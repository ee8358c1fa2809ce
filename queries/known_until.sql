-- question: what had been logged by a moment in the past?
-- grain: one row of logged. While it stands, every question about use is answered as of then.
-- inputs: logged, as it is in the database {database}; the variable known_until (timestamp), which is set before.
-- parameters: none of its own.
CREATE OR REPLACE TEMP VIEW logged AS
SELECT * FROM {database}.main.logged WHERE time < getvariable('known_until');
