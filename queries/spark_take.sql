-- question: none; takes what a cluster has read into the database, its usage as that of days whose events were dropped.
-- grain: that of the tables.
-- inputs: handed_* (spark_handover.sql, of all batches); handed_usage (spark_usage.sql) and handed_fresh (spark_fresh.sql) of
--   all of them together; copied (spark_copied.sql); identity_text (spark_identity.sql)
-- parameters: none
-- What was refused by which layer (trail_record) goes with the events, as it does when they are dropped.

-- Numbers in the order of reading, behind those that there are.
CREATE OR REPLACE TEMP TABLE taken_file AS
SELECT id AS number, ((SELECT COALESCE(max(id), 0) FROM log_file) + row_number() OVER (ORDER BY id))::INTEGER AS file_id
FROM handed_log_file;

INSERT INTO log_file
SELECT t.file_id, f.* EXCLUDE (id, unmapped, stamp)
           REPLACE (accepted - COALESCE(c.records, 0) AS accepted, duplicate + COALESCE(c.records, 0) AS duplicate)
FROM handed_log_file AS f
JOIN taken_file AS t ON t.number = f.id
LEFT JOIN copied AS c ON c.file_id = f.id
ORDER BY t.file_id;

INSERT OR REPLACE INTO meta SELECT 'stamp:' || uri, stamp FROM handed_log_file WHERE stamp IS NOT NULL;

INSERT INTO rejected
SELECT t.file_id, h.position, h.reason FROM handed_rejected AS h JOIN taken_file AS t ON t.number = h.file_id ORDER BY ALL;

INSERT INTO not_use
SELECT t.file_id, h.reason, h.records FROM handed_not_use AS h JOIN taken_file AS t ON t.number = h.file_id ORDER BY ALL;

INSERT INTO holed_day
SELECT t.file_id, h.day FROM handed_holed_day AS h JOIN taken_file AS t ON t.number = h.file_id ORDER BY ALL;

INSERT INTO run
SELECT t.file_id, h.* EXCLUDE (file_id) FROM handed_run AS h JOIN taken_file AS t ON t.number = h.file_id ORDER BY ALL;

INSERT INTO trail_shown
SELECT t.file_id, h.* EXCLUDE (file_id) FROM handed_trail_shown AS h JOIN taken_file AS t ON t.number = h.file_id ORDER BY ALL;

-- Of each caller the first batch that names it; new ones behind those that the database has.
CREATE OR REPLACE TEMP TABLE taken_identity AS
WITH known AS (FROM identity_text),
first AS (SELECT caller, min(id) AS number FROM handed_identity GROUP BY caller)
SELECT f.caller, f.number, k.id IS NULL AS fresh,
       COALESCE(k.id, (SELECT COALESCE(max(id), 0) FROM known)
           + row_number() OVER (PARTITION BY k.id IS NULL ORDER BY f.number))::INTEGER AS identity
FROM first AS f
LEFT JOIN known AS k USING (caller);

INSERT INTO identity
SELECT t.identity, h.* EXCLUDE (id, caller)
FROM taken_identity AS t
JOIN handed_identity AS h ON h.id = t.number
WHERE t.fresh
ORDER BY t.identity;

INSERT INTO mcp_call
SELECT t.file_id, i.identity, h.request_id
FROM handed_mcp_call AS h
JOIN taken_file AS t ON t.number = h.file_id
JOIN taken_identity AS i ON i.caller = h.identity
ORDER BY ALL;

CREATE OR REPLACE TEMP TABLE taken_usage AS
SELECT u.* REPLACE (COALESCE(i.identity, k.id, 0) AS caller)
FROM handed_usage AS u
LEFT JOIN taken_identity AS i ON i.caller = u.caller
LEFT JOIN identity_text AS k ON k.caller = u.caller;

-- From here on as prune_fold.sql does it.
CREATE OR REPLACE TEMP TABLE folded AS
SELECT day, source, agent, caller, counted_for, service, action, resource, branch, partial, outcome, decision, indirect,
       suspicious, mapped, sum(uses)::BIGINT AS uses, sum(records)::BIGINT AS records, min(first_used) AS first_used,
       max(last_used) AS last_used, max(last_approved) AS last_approved, min(session_low) AS session_low,
       max(session_high) AS session_high, min(sample_low) AS sample_low, max(sample_high) AS sample_high,
       min(run_low) AS run_low, max(run_high) AS run_high, max(bursts) AS bursts, max(longest)::DOUBLE AS longest
FROM (
    FROM taken_usage
    UNION ALL
    FROM pruned_usage WHERE day IN (SELECT day FROM taken_usage)
)
GROUP BY ALL;

DELETE FROM pruned_usage WHERE day IN (SELECT day FROM taken_usage);

INSERT INTO pruned_usage FROM folded ORDER BY day, source, agent, service, action, resource, caller;

INSERT INTO pruned_event
SELECT day, (id::HUGEINT + 9223372036854775808)::UBIGINT FROM handed_fresh ORDER BY ALL;

INSERT INTO pruned_day
SELECT day, sum(uses)::BIGINT, 0 FROM taken_usage GROUP BY day ORDER BY day
ON CONFLICT DO UPDATE SET events = events + excluded.events, late = late + excluded.events;

-- The usage files to be made anew; with them those of requests that a tool call now turns out to have made.
INSERT INTO stale_day
SELECT DISTINCT day FROM taken_usage
UNION
SELECT DISTINCT CAST(time AS DATE) FROM event
WHERE request_id IN (SELECT request_id FROM handed_mcp_call WHERE request_id <> '');
