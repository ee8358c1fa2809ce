-- question: which layer refused what the agent attempted, where the log names it?
-- grain: refused request and layer.
-- inputs: own_event; trail_record.
-- parameters: $agent, $first (timestamp), $after (first moment behind the window).
SELECT e.service, e.action, e.resource, e.branch, r.denied_by, r.explicit, sum(e.uses)::BIGINT AS refusals
FROM own_event($agent, $first, $after) AS e
JOIN trail_record AS r USING (file_id, position)
WHERE e.outcome = 'refused' AND r.denied_by <> '' AND e.mapped
GROUP BY ALL
ORDER BY ALL;
