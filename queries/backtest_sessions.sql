-- question: in how many of the agent's sessions was at least one of these legitimate requests made?
-- grain: one number.
-- inputs: own_event; request.
-- parameters: $agent, $first (timestamp), $after; $ids (of request; NULL = all of them).
SELECT count(DISTINCT e.session)
FROM own_event($agent, $first, $after) AS e
WHERE e.session <> '' AND e.mapped AND e.outcome IN ('used', 'used_unlogged', 'approved')
  AND ($ids IS NULL OR (e.service, e.action, e.resource, e.branch, e.partial, e.outcome = 'approved') IN (
      SELECT (r.service, r.action, r.resource, r.branch, r.partial, r.kind = 'approved')
      FROM request AS r WHERE r.id IN (SELECT unnest($ids::BIGINT[]))
  ));
