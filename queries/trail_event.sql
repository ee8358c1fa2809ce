-- question: which requests did this agent's callers make, where the log itself names no agent?
-- grain: one row of logged. What is asked of it repeats it, so it is a macro, not a table.
-- inputs: event_caller; agent_caller (identities that are the agent).
-- parameters: none of its own; the macro takes the first moment, and the first moment behind the window.
CREATE OR REPLACE TEMP MACRO trail_event(since, until) AS TABLE
SELECT e.* EXCLUDE (caller)
FROM event_caller AS e
WHERE e.agent = '' AND e.time >= since AND e.time < until AND e.caller IN (SELECT identity FROM agent_caller);
