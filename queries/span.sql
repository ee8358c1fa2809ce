-- question: which days do the logs cover at all?
-- grain: one row.
-- inputs: event.
-- parameters: none.
SELECT CAST(min(time) AS DATE) AS first_day, CAST(max(time) AS DATE) AS last_day, count(*) AS events FROM event;
