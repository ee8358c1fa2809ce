-- question: which events are the evidence for one granted (rule, action)?
-- grain: one request of an event, newest first.
-- inputs: event; log_file; agent_principal; request; owner.
-- parameters: $agent, $first, $after, $rule (index), $action, $most (rows).
SELECT e.time, e.source, e.native_id, e.resource, e.branch, e.outcome, e.session, f.uri, e.position
FROM event e
JOIN log_file f ON f.id = e.file_id
JOIN request r ON r.service = e.service AND r.action = e.action AND r.resource = e.resource AND r.branch = e.branch
 AND r.partial = e.partial AND r.kind = CASE WHEN e.outcome = 'approved' THEN 'approved' ELSE 'exercised' END
JOIN owner o ON o.id = r.id AND o.rule = $rule
WHERE e.action = $action AND e.time >= $first AND e.time < $after
  AND (e.agent = $agent OR (e.agent = '' AND e.principal IN (SELECT principal FROM agent_principal)))
  AND e.outcome IN ('used', 'used_unlogged', 'approved')
ORDER BY e.time DESC, e.native_id
LIMIT $most;
