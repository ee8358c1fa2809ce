-- question: how much of an agent's use belongs to which job, to no job, and to any of them for all that the log says?
-- grain: whose (job; none: the session is of no job; any: the line does not tell its run, so it counts for every job;
--         several: what counts for more than one job because its session does, once more) and job.
-- inputs: own_event, as it is of the agent as a whole; session_job.
-- parameters: $agent, $first (timestamp), $after (first moment behind the window).
WITH used AS (
    SELECT session, agent = '' AS trail, CAST(time AS DATE) AS day, sum(uses) AS uses
    FROM own_event($agent, $first, $after)
    WHERE mapped AND outcome IN ('used', 'used_unlogged', 'approved')
    GROUP BY ALL
),
whose AS (
    SELECT u.*, j.job,
           CASE WHEN j.job IS NOT NULL THEN 'job' WHEN u.session = '' OR u.trail THEN 'any' ELSE 'none' END AS whose
    FROM used AS u LEFT JOIN session_job AS j ON j.session = u.session
)
SELECT whose, coalesce(job, '') AS job, count(DISTINCT session) FILTER (session <> '') AS sessions,
       count(DISTINCT day) AS days, sum(uses)::BIGINT AS uses
FROM whose GROUP BY whose, job
UNION ALL
SELECT 'several', '', count(DISTINCT u.session), count(DISTINCT u.day), sum(u.uses)::BIGINT
FROM used AS u JOIN (SELECT session FROM session_job GROUP BY session HAVING count(*) > 1) AS s USING (session)
HAVING count(*) > 0
ORDER BY ALL;
