-- question: which sessions of an agent belong to which job, by what the gateway says that they were started for?
-- grain: session and job; a session that was started for several things has a job for each.
-- inputs: own_event; run; job_name (on_behalf_of, job).
-- parameters: $agent, $after (first moment behind the window).
CREATE OR REPLACE TEMP TABLE session_job AS
SELECT DISTINCT r.session, n.job
FROM run AS r
JOIN job_name AS n ON n.on_behalf_of = r.on_behalf_of
WHERE r.agent = $agent
  AND r.session IN (SELECT session FROM own_event($agent, TIMESTAMP '0001-01-01', $after));
