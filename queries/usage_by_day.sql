-- question: how much did the agent exercise on each day of the window?
-- grain: day with at least one exercised use.
-- inputs: usage.
-- parameters: none.
SELECT day, sum(uses)::BIGINT AS uses
FROM usage WHERE mapped AND outcome IN ('used', 'used_unlogged', 'approved')
GROUP BY day ORDER BY day;
