-- question: which sessions of an agent belong to which of the jobs that people named?
-- grain: session and job. The first pattern that fits decides; a session that was started for several things has a job for each.
-- inputs: own_event; run; job_pattern (nr, job, session_like, behalf_like). LIKE with \ as escape is the grammar of policy patterns.
-- parameters: $agent, $after (first moment behind the window).
CREATE OR REPLACE TEMP TABLE session_job AS
WITH logged AS (
    SELECT DISTINCT session FROM own_event($agent, TIMESTAMP '0001-01-01', $after) WHERE session <> ''
),
started AS (
    SELECT DISTINCT l.session, coalesce(r.on_behalf_of, '') AS on_behalf_of
    FROM logged AS l LEFT JOIN run AS r ON r.agent = $agent AND r.session = l.session
)
SELECT DISTINCT session, job
FROM (
    SELECT s.session, arg_min(p.job, p.nr) AS job
    FROM started AS s JOIN job_pattern AS p
      ON s.session LIKE p.session_like ESCAPE '\' AND s.on_behalf_of LIKE p.behalf_like ESCAPE '\'
    GROUP BY s.session, s.on_behalf_of
);
