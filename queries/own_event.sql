-- question: which logged requests are this agent's own, in this window, each call counted once?
-- grain: one request (a row of event). What is asked of it repeats it, so it is a macro, not a table.
-- inputs: event; agent_principal (principals that are the agent); second_witness.
-- parameters: none of its own; the macro takes the agent, the first moment, and the first moment behind the window.
CREATE OR REPLACE TEMP MACRO own_event(who, since, until) AS TABLE
SELECT e.*
FROM event e
WHERE e.time >= since AND e.time < until
  AND (e.agent = who OR (e.agent = '' AND e.principal IN (SELECT principal FROM agent_principal)))
  AND NOT EXISTS (
      SELECT 1 FROM second_witness w
      WHERE w.file_id = e.file_id AND w.position = e.position AND w.part = e.part);
