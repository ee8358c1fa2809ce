-- question: which logged requests are this agent's own, in this window, each call counted once?
-- grain: one row of logged. What is asked of it repeats it, so it is a macro, not a table.
-- inputs: logged (what a log names the agent for); trail_event (what its callers did); second_witness.
-- parameters: none of its own; the macro takes the agent, the first moment, and the first moment behind the window.
CREATE OR REPLACE TEMP MACRO own_event(who, since, until) AS TABLE
SELECT e.* FROM logged AS e WHERE e.agent = who AND e.time >= since AND e.time < until
UNION ALL
SELECT t.* FROM trail_event(since, until) AS t
WHERE t.counted_for <> who AND NOT EXISTS (
    SELECT 1 FROM second_witness w
    WHERE w.file_id = t.file_id AND w.position = t.position AND w.part = t.part);
