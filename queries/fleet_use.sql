-- question: on which days did each agent of the logs do what, and on which did it exercise it?
-- grain: agent, service, action. `done` and `used` are sorted lists of days, counted from 0001-01-01 = 1.
-- inputs: logged (what a log names the agent for); event_caller and caller_agent (identity -> agent) for the rest.
-- parameters: $after (first moment behind the window).
WITH daily AS (
    SELECT agent, service, action, CAST(time AS DATE) - DATE '0001-01-01' + 1 AS day,
           bool_or(mapped AND outcome IN ('used', 'used_unlogged', 'approved')) AS exercised
    FROM logged
    WHERE agent <> '' AND time < $after AND outcome <> 'by_service'
    GROUP BY ALL
    UNION ALL
    SELECT c.agent, e.service, e.action, CAST(e.time AS DATE) - DATE '0001-01-01' + 1,
           bool_or(e.mapped AND e.outcome IN ('used', 'used_unlogged', 'approved'))
    FROM event_caller AS e JOIN caller_agent AS c ON c.identity = e.caller
    WHERE e.agent = '' AND e.time < $after AND e.outcome <> 'by_service'
    GROUP BY ALL
)
SELECT agent, service, action,
       list_sort(list(DISTINCT day)) AS done,
       list_sort(coalesce(list(DISTINCT day) FILTER (exercised), [])) AS used
FROM daily
GROUP BY agent, service, action
ORDER BY agent, service, action;
