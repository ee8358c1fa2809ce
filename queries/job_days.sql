-- question: on which days was one job of an agent at work, and on which may it have exercised what?
-- grain: service, action. `done` and `used` are sorted lists of days, counted from 0001-01-01 = 1.
-- inputs: own_event, as it is of one job; job_session.
-- parameters: $agent, $after (first moment behind the window).
-- A line that may be any job's may have been this one's use, and is no sign that this one was at work.
WITH daily AS (
    SELECT service, action, CAST(time AS DATE) - DATE '0001-01-01' + 1 AS day,
           bool_or(session IN (SELECT session FROM job_session WHERE ours)) AS sure,
           bool_or(mapped AND outcome IN ('used', 'used_unlogged', 'approved')) AS exercised
    FROM own_event($agent, TIMESTAMP '0001-01-01', $after)
    WHERE outcome <> 'by_service'
    GROUP BY ALL
)
SELECT $agent AS agent, service, action,
       list_sort(coalesce(list(day) FILTER (sure), [])) AS done,
       list_sort(coalesce(list(day) FILTER (exercised), [])) AS used
FROM daily
GROUP BY service, action
ORDER BY service, action;
