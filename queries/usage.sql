-- question: what did this agent do in the window, day by day?
-- grain: day, service, action, resource, branch, partial, outcome class, mapped, indirect, suspicious.
-- inputs: event; agent_principal; second_witness (left out: those calls are counted by their gateway line).
-- parameters: $agent, $first (timestamp), $after (first moment behind the window).
CREATE OR REPLACE TEMP TABLE usage AS
SELECT CAST(e.time AS DATE) AS day, e.service, e.action, e.resource, e.branch, e.partial, e.outcome,
       e.mapped, e.indirect, e.suspicious,
       count(*) AS uses, min(e.time) AS first_used, max(e.time) AS last_used,
       min(e.native_id) AS sample_low, max(e.native_id) AS sample_high
FROM event e
WHERE e.time >= $first AND e.time < $after
  AND (e.agent = $agent OR (e.agent = '' AND e.principal IN (SELECT principal FROM agent_principal)))
  AND NOT EXISTS (
      SELECT 1 FROM second_witness w
      WHERE w.file_id = e.file_id AND w.position = e.position AND w.part = e.part)
GROUP BY ALL;
