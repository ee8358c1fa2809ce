-- question: how were the uses of one row of usage.sql spread over sessions and over its day?
-- grain: as usage.sql. `run_low`, `run_high`: the least and greatest number of a session; a burst ends where there is no use for half
--   an hour, and `longest` is the length of the longest in seconds (bursts.sql).
-- inputs: event, as usage.sql has it, with two columns more: run, the number of the session, as request.sql has it; micros, the
--   time in microseconds since 1970
-- parameters: none
-- It holds nothing that one engine alone understands, as usage.sql.
WITH paused AS (
    SELECT CAST(time AS DATE) AS day, source, agent, caller, counted_for, service, action, resource, branch, partial, outcome,
           decision, indirect, suspicious, mapped, run, micros,
           micros - LAG(micros) OVER (
               PARTITION BY CAST(time AS DATE), source, agent, caller, counted_for, service, action, resource, branch, partial,
                            outcome, decision, indirect, suspicious, mapped
               ORDER BY micros) AS pause
    FROM event
),
told AS (
    SELECT *, SUM(CASE WHEN pause > 1800000000 THEN 1 ELSE 0 END) OVER (
        PARTITION BY day, source, agent, caller, counted_for, service, action, resource, branch, partial, outcome, decision,
                     indirect, suspicious, mapped
        ORDER BY micros ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS burst
    FROM paused
),
burst AS (
    SELECT day, source, agent, caller, counted_for, service, action, resource, branch, partial, outcome, decision, indirect,
           suspicious, mapped, burst, MIN(run) AS run_low, MAX(run) AS run_high, MAX(micros) - MIN(micros) AS lasted
    FROM told
    GROUP BY day, source, agent, caller, counted_for, service, action, resource, branch, partial, outcome, decision, indirect,
             suspicious, mapped, burst
)
SELECT day, source, agent, caller, counted_for, service, action, resource, branch, partial, outcome, decision, indirect,
       suspicious, mapped, MIN(run_low) AS run_low, MAX(run_high) AS run_high, COUNT(*) AS bursts, MAX(lasted) / 1000000.0 AS longest
FROM burst
GROUP BY day, source, agent, caller, counted_for, service, action, resource, branch, partial, outcome, decision, indirect,
         suspicious, mapped;
