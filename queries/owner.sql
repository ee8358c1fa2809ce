-- question: to which rule does each distinct request belong (exercised, or without evidence either way), and which exercised
--   requests does no rule grant?
-- grain: request id.
-- inputs: request; matched; signature_owner (a set of matching boxes -> the narrowest rule, or -1), made in Python.
-- parameters: none.
CREATE OR REPLACE TEMP TABLE owner AS
SELECT m.id, s.rule
FROM matched m JOIN signature_owner s ON s.rules = m.rules JOIN request r ON r.id = m.id
WHERE s.rule >= 0 AND r.kind IN ('exercised', 'approved', 'no_evidence');

CREATE OR REPLACE TEMP TABLE stray AS
SELECT r.id FROM request r
WHERE r.kind IN ('exercised', 'approved') AND r.partial = '' AND r.id NOT IN (SELECT id FROM owner);
