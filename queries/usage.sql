-- question: what was done, day by day: by whom, on what, how did it end, and how often?
-- grain: day (UTC), source, agent as the log names it, caller, request, outcome and decision; and whether indirect, suspicious, mapped.
-- inputs: event: the accepted requests, each once (the columns of schema.sql that are named here), with two of its own:
--   caller, what identifies the caller where the log names no agent: the eight texts of `identity`, as a JSON list; '' = nothing does;
--   counted_for, the agent for which another line already counts this call (second_witness.sql); '' = none, or not known yet.
-- parameters: none.
-- It adds up: rows of any two sets of events, merged by usage_merge.sql, are the rows of both together, so one machine, a
-- cluster and a late file give the same. It holds nothing that one engine alone understands (sqlglot translates it).
-- A line that names no session is taken as one of a session of its day, as in request.sql.
SELECT CAST(time AS DATE) AS day, source, agent, caller, counted_for, service, action, resource, branch, partial, outcome,
       decision, indirect, suspicious, mapped,
       COUNT(*) AS uses,
       COUNT(CASE WHEN part = 0 THEN 1 END) AS records,
       MIN(time) AS first_used, MAX(time) AS last_used, MAX(approved_at) AS last_approved,
       MIN(CASE WHEN session = '' THEN CAST(CAST(time AS DATE) AS VARCHAR) ELSE session END) AS session_low,
       MAX(CASE WHEN session = '' THEN CAST(CAST(time AS DATE) AS VARCHAR) ELSE session END) AS session_high,
       MIN(native_id) AS sample_low, MAX(native_id) AS sample_high
FROM event
GROUP BY CAST(time AS DATE), source, agent, caller, counted_for, service, action, resource, branch, partial, outcome,
         decision, indirect, suspicious, mapped
