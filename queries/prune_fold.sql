-- question: none; turns some days' events into rows of pruned_usage, beside what these days had there, and drops them.
-- grain: pruned_usage, as usage.sql; pruned_event, one native record; pruned_day, stale_day, one day.
-- inputs: usage_event (usage_input.sql, of these days); usage_part (usage.sql over it); usage_day; pruned_usage; event; trail_record
-- parameters: $gap (seconds without use that end a burst), $first (timestamp), $after (first moment behind the last of the days).

CREATE OR REPLACE TEMP TABLE folded AS
WITH numbered AS (SELECT rowid AS nr, * FROM usage_part),
placed AS (
    SELECT n.nr, e.time,
           (hash(CASE WHEN e.session = '' THEN CAST(n.day AS VARCHAR) ELSE e.session END) % 4294967296)::BIGINT AS run
    FROM usage_event AS e
    JOIN numbered AS n
      ON n.day = CAST(e.time AS DATE) AND n.source = e.source AND n.agent = e.agent AND n.caller = e.caller
     AND n.counted_for = e.counted_for AND n.service = e.service AND n.action = e.action AND n.resource = e.resource
     AND n.branch = e.branch AND n.partial = e.partial AND n.outcome = e.outcome AND n.decision = e.decision
     AND n.indirect = e.indirect AND n.suspicious = e.suspicious AND n.mapped = e.mapped
),
paused AS (
    SELECT *, epoch(time - lag(time) OVER (PARTITION BY nr ORDER BY time)) AS pause FROM placed
),
told AS (
    SELECT *, count(*) FILTER (pause > $gap) OVER (PARTITION BY nr ORDER BY time ROWS UNBOUNDED PRECEDING) AS burst FROM paused
),
burst AS (
    SELECT nr, burst, min(run) AS run_low, max(run) AS run_high, epoch(max(time) - min(time)) AS seconds
    FROM told GROUP BY nr, burst
),
measured AS (
    SELECT nr, min(run_low) AS run_low, max(run_high) AS run_high, count(*) AS bursts, max(seconds)::DOUBLE AS longest
    FROM burst GROUP BY nr
)
SELECT day, source, agent, caller, counted_for, service, action, resource, branch, partial, outcome, decision, indirect,
       suspicious, mapped, sum(uses)::BIGINT AS uses, sum(records)::BIGINT AS records, min(first_used) AS first_used,
       max(last_used) AS last_used, max(last_approved) AS last_approved, min(session_low) AS session_low,
       max(session_high) AS session_high, min(sample_low) AS sample_low, max(sample_high) AS sample_high,
       min(run_low) AS run_low, max(run_high) AS run_high, max(bursts) AS bursts, max(longest) AS longest
FROM (
    SELECT n.* EXCLUDE (nr), m.run_low, m.run_high, m.bursts, m.longest FROM numbered AS n JOIN measured AS m USING (nr)
    UNION ALL
    FROM pruned_usage WHERE day IN (SELECT day FROM usage_day)
)
GROUP BY ALL;

DELETE FROM pruned_usage WHERE day IN (SELECT day FROM usage_day);

INSERT INTO pruned_usage FROM folded ORDER BY day, source, agent, service, action, resource, caller;

INSERT INTO pruned_event
SELECT CAST(time AS DATE), event_key(source, native_id) FROM usage_event WHERE part = 0 ORDER BY ALL;

INSERT INTO pruned_day
SELECT CAST(time AS DATE) AS day, count(*), 0 FROM usage_event GROUP BY day ORDER BY day
ON CONFLICT DO UPDATE SET events = events + excluded.events, late = late + excluded.events;

INSERT INTO stale_day FROM usage_day;

DELETE FROM trail_record
WHERE (file_id, position) IN (SELECT file_id, position FROM usage_event WHERE source = 'cloudtrail');

DELETE FROM event WHERE time >= $first AND time < $after AND CAST(time AS DATE) IN (SELECT day FROM usage_day);
