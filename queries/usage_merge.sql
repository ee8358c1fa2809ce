-- question: what do several parts of usage say together?
-- grain: as usage.sql.
-- inputs: usage_part: rows of usage.sql, of any number of parts.
-- parameters: none.
SELECT day, source, agent, caller, counted_for, service, action, resource, branch, partial, outcome,
       decision, indirect, suspicious, mapped,
       CAST(SUM(uses) AS BIGINT) AS uses, CAST(SUM(records) AS BIGINT) AS records,
       MIN(first_used) AS first_used, MAX(last_used) AS last_used, MAX(last_approved) AS last_approved,
       MIN(session_low) AS session_low, MAX(session_high) AS session_high,
       MIN(sample_low) AS sample_low, MAX(sample_high) AS sample_high
FROM usage_part
GROUP BY day, source, agent, caller, counted_for, service, action, resource, branch, partial, outcome,
         decision, indirect, suspicious, mapped
