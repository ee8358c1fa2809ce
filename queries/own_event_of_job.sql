-- question: which logged requests are, or may be, one job's of this agent, in this window, each call counted once?
-- grain: one row of logged. It takes the place of the macro that own_event.sql makes.
-- inputs: logged; trail_event; second_witness; job_session (session, ours: whether this job is among those of the session).
-- parameters: none of its own; the macro takes the agent, the first moment, and the first moment behind the window.
-- A line may be any job's where it does not tell its run: a gateway's line without a session, a CloudTrail record whose
-- session name is no job's session, several sessions of a day that was dropped.
CREATE OR REPLACE TEMP MACRO own_event(who, since, until) AS TABLE
SELECT e.* FROM logged AS e
WHERE e.agent = who AND e.time >= since AND e.time < until
  AND (e.session = '' OR e.session IN (SELECT session FROM job_session WHERE ours))
UNION ALL
SELECT t.* FROM trail_event(since, until) AS t
WHERE t.session NOT IN (SELECT session FROM job_session WHERE NOT ours)
  AND t.counted_for <> who AND NOT EXISTS (
    SELECT 1 FROM second_witness w
    WHERE w.file_id = t.file_id AND w.position = t.position AND w.part = t.part);
