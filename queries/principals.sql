-- question: who acted, as the logs name them?
-- grain: agent named by the log, principal.
-- inputs: event.
-- parameters: none.
SELECT agent, principal, count(*) AS events, count(DISTINCT session) AS sessions,
       min(time) AS first_time, max(time) AS last_time
FROM event
GROUP BY ALL
ORDER BY events DESC, agent, principal;
