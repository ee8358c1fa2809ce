-- question: which events were read, but map to no action?
-- grain: service and event.
-- inputs: event.
-- parameters: none.
SELECT service, action, count(*) AS events, min(time) AS first_time, max(time) AS last_time
FROM event WHERE NOT mapped
GROUP BY ALL
ORDER BY events DESC, service, action;
