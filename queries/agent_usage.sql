-- question: what did one agent do in the window, day by day?
-- grain: day, service, action, resource, branch, partial, outcome (and whether mapped, indirect, suspicious).
-- inputs: own_event.
-- parameters: $agent, $first (timestamp), $after (first moment behind the window).
SELECT CAST(time AS DATE) AS day, service, action, resource, branch, partial, outcome,
       mapped, indirect, suspicious,
       sum(uses)::BIGINT AS uses, min(time) AS first_used, max(last_time) AS last_used,
       min(native_id) AS sample_low, max(last_id) AS sample_high
FROM own_event($agent, $first, $after)
GROUP BY ALL
ORDER BY ALL;
