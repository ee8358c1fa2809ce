-- question: which events are the evidence for one granted (rule, action)?
-- grain: one request of an event, newest first.
-- inputs: own_event; log_file; request; owner.
-- parameters: $agent, $first, $after, $rule (index), $action, $most (rows).
SELECT e.time, e.source, e.native_id, e.resource, e.branch, e.outcome, e.session, f.uri, e.position
FROM own_event($agent, $first, $after) AS e
JOIN log_file f ON f.id = e.file_id
JOIN request r ON r.service = e.service AND r.action = e.action AND r.resource = e.resource AND r.branch = e.branch
 AND r.partial = e.partial AND r.kind = CASE WHEN e.outcome = 'approved' THEN 'approved' ELSE 'exercised' END
JOIN owner o ON o.id = r.id AND o.rule = $rule
WHERE e.action = $action AND e.outcome IN ('used', 'used_unlogged', 'approved')
ORDER BY e.time DESC, e.native_id
LIMIT $most;
