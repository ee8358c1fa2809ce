-- question: which distinct requests must keep their level, so that they can be put to the authoriser again?
-- grain: service, action, partial, kind (exercised, approved, no_evidence), with the resources and branches as two lists
--        side by side, in no order; where all have one branch, that alone. Reads what was collected from the logs, and
--        nothing that the tightening made.
-- inputs: request.
-- parameters: $most: actions with more distinct requests are left out (replay_many.sql).
SELECT service, action, partial, kind, list(resource),
       CASE WHEN min(branch) = max(branch) THEN [min(branch)] ELSE list(branch) END, sum(uses)::BIGINT AS uses
FROM request
WHERE kind IN ('exercised', 'approved', 'no_evidence')
  AND (service, action, partial) NOT IN (
      SELECT (service, action, partial) FROM request WHERE kind IN ('exercised', 'approved', 'no_evidence')
      GROUP BY service, action, partial HAVING count(*) > $most)
GROUP BY service, action, partial, kind
ORDER BY service, action, partial, kind = 'no_evidence', kind;
