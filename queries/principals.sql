-- question: who acted, as the logs name them?
-- grain: agent named by the log, identity of the caller (0: nothing identifies it).
-- inputs: event_caller.
-- parameters: none.
SELECT agent, caller, count(*) AS events, count(DISTINCT session) FILTER (session <> '') AS sessions,
       min(time) AS first_time, max(time) AS last_time
FROM event_caller
GROUP BY agent, caller
ORDER BY events DESC, agent, caller;
