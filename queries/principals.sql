-- question: who acted, as the logs name them?
-- grain: agent named by the log, identity of the caller (0: nothing identifies it), whether an AWS service for itself.
-- inputs: event_caller.
-- parameters: none.
SELECT agent, caller, outcome = 'by_service' AS by_service, sum(records)::BIGINT AS events,
       count(DISTINCT session) FILTER (session <> '') AS sessions,
       min(time) AS first_time, max(last_time) AS last_time
FROM event_caller
GROUP BY agent, caller, by_service
ORDER BY events DESC, agent, caller, by_service;
