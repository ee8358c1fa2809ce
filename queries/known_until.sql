-- question: what had been logged by a moment in the past?
-- grain: one request (a row of event). While it stands, every question about `event` is answered as of then.
-- inputs: event, as it is in the database {database}; the variable known_until (timestamp), which is set before.
-- parameters: none of its own.
CREATE OR REPLACE TEMP VIEW event AS
SELECT * FROM {database}.main.event WHERE time < getvariable('known_until');
