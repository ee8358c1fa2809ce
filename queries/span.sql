-- question: which days do the logs cover at all?
-- grain: one row.
-- inputs: logged.
-- parameters: none.
SELECT CAST(min(time) AS DATE) AS first_day, CAST(max(last_time) AS DATE) AS last_day, sum(uses)::BIGINT AS events FROM logged;
