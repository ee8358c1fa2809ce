-- question: what did the cluster's batches hold, day by day, and how was it spread?
-- grain: as usage.sql.
-- inputs: rolled (usage.sql); spread (usage_bursts.sql)
-- parameters: none
SELECT u.*, b.run_low, b.run_high, b.bursts, b.longest
FROM rolled AS u
JOIN spread AS b
    USING (day, source, agent, caller, counted_for, service, action, resource, branch, partial, outcome, decision, indirect,
           suspicious, mapped);
