-- question: how much did the agent exercise on each day of the window?
-- grain: day with at least one exercised use.
-- inputs: own_event.
-- parameters: $agent, $first (timestamp), $after (first moment behind the window).
SELECT CAST(time AS DATE) AS day, sum(uses)::BIGINT AS uses
FROM own_event($agent, $first, $after)
WHERE mapped AND outcome IN ('used', 'used_unlogged', 'approved')
GROUP BY day ORDER BY day;
