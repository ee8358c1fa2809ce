-- question: which distinct requests must keep their level, so that they can be put to the authoriser again?
-- grain: service, action, partial, exercised (else: without evidence either way), with the resources and branches as two
--         lists side by side, in no order. Reads what was collected from the logs, and nothing that the tightening made.
-- inputs: request.
-- parameters: none.
SELECT service, action, partial, exercised, list(resource), list(branch), sum(uses)::BIGINT AS uses
FROM (
    SELECT service, action, partial, resource, branch, bool_or(kind <> 'no_evidence') AS exercised,
           coalesce(sum(uses) FILTER (kind <> 'no_evidence'), 0) AS uses
    FROM request
    WHERE kind IN ('exercised', 'approved', 'no_evidence')
    GROUP BY service, action, partial, resource, branch
)
GROUP BY service, action, partial, exercised
ORDER BY service, action, partial, exercised;
