-- question: which events were read, but map to no action?
-- grain: service and event.
-- inputs: logged.
-- parameters: none.
SELECT service, action, sum(uses)::BIGINT AS events, min(time) AS first_time, max(last_time) AS last_time
FROM logged WHERE NOT mapped
GROUP BY ALL
ORDER BY events DESC, service, action;
