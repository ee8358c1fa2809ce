-- question: in how many sessions was each granted (rule, action) used?
-- grain: rule and action.
-- inputs: event; agent_principal; second_witness; request; owner.
-- parameters: $agent, $first, $after.
SELECT o.rule, e.action, count(DISTINCT e.session) FILTER (e.session <> '') AS sessions
FROM event e
JOIN request r ON r.service = e.service AND r.action = e.action AND r.resource = e.resource AND r.branch = e.branch
 AND r.partial = e.partial AND r.kind = CASE WHEN e.outcome = 'approved' THEN 'approved' ELSE 'exercised' END
JOIN owner o ON o.id = r.id
WHERE e.time >= $first AND e.time < $after
  AND (e.agent = $agent OR (e.agent = '' AND e.principal IN (SELECT principal FROM agent_principal)))
  AND e.mapped AND e.outcome IN ('used', 'used_unlogged', 'approved')
GROUP BY o.rule, e.action;
