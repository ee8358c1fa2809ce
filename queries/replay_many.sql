-- question: which distinct requests of one action must keep their level, where they are too many for a list?
-- grain: resource and branch, in no order; whether it was exercised (else there is no evidence either way), and its uses.
-- inputs: request.
-- parameters: $service, $action, $partial.
CREATE OR REPLACE TEMP TABLE replayed AS
SELECT resource, branch, bool_or(kind <> 'no_evidence') AS exercised,
       coalesce(sum(uses) FILTER (kind <> 'no_evidence'), 0)::BIGINT AS uses
FROM request
WHERE service = $service AND action = $action AND partial = $partial AND kind IN ('exercised', 'approved', 'no_evidence')
GROUP BY resource, branch;
