-- question: which records are no requests, how many has each file, which refusals name an action, and what may be called where?
-- grain: one rejected record; file and reason; file; a record whose refusal names what was refused (ct_named); a row of ct_map
--   in each region and account (ct_call).
-- inputs: ct_record (stage_cloudtrail_record.sql, and `record`, which numbers them); ct_identity
--   (stage_cloudtrail_who.sql); ct_map (stage_cloudtrail_resource.sql); ct_place (the records' event_source, event_name,
--   region, account); ct_partition (region, partition); ct_refused (named, action, typed); ct_problem (file_id, problem);
--   ct_bad (file_id, position, reason) from the exact path
-- parameters: none

CREATE OR REPLACE TEMP VIEW ct_ready AS
SELECT r.*, COALESCE(i.id, 0) AS identity
FROM ct_record AS r
LEFT JOIN ct_identity AS i
    USING (source_identity, sign_in_session, jwt_sub, jwt_client, principal, session, access_key, by_service);

INSERT INTO staged_rejected (file_id, position, reason, day)
SELECT file_id, position, COALESCE(reject, m.problem), time::DATE
FROM ct_record AS r
LEFT JOIN (FROM ct_map WHERE nr = 0 AND problem IS NOT NULL) AS m USING (event_source, event_name)
WHERE reject IS NOT NULL OR m.problem IS NOT NULL
UNION ALL
SELECT file_id, position, reason, NULL FROM ct_bad;

INSERT INTO staged_not_use (file_id, reason, records)
SELECT r.file_id, r.idle AS reason, count(*)
FROM ct_record AS r
JOIN ct_map AS m ON m.event_source = r.event_source AND m.event_name = r.event_name AND m.nr = 0
WHERE r.reject IS NULL AND m.problem IS NULL AND r.idle IS NOT NULL
GROUP BY ALL ORDER BY ALL;

INSERT INTO staged_file (file_id, records, problem)
SELECT p.file_id, COALESCE(r.records, 0) + COALESCE(b.records, 0), p.problem
FROM ct_problem AS p
LEFT JOIN (SELECT file_id, count(*) AS records FROM ct_record GROUP BY file_id) AS r USING (file_id)
LEFT JOIN (SELECT file_id, count(*) AS records FROM ct_bad GROUP BY file_id) AS b USING (file_id);

-- The action that a refusal names is the one that was refused, which need not be the one that the call is known for (a
-- call checks several). Its ARN is the resource; a name that is no ARN leaves what the parameters say.
CREATE OR REPLACE TEMP TABLE ct_named AS
SELECT r.record, n.action, n.typed,
       CASE WHEN starts_with(r.refusal.resource, 'arn:') THEN r.refusal.resource ELSE '' END AS arn
FROM ct_record AS r JOIN ct_refused AS n ON n.named = r.refusal.action
WHERE r.reject IS NULL AND r.idle IS NULL;

-- The templates with everything filled in that does not come from the parameters. An unknown account is '*'.
CREATE OR REPLACE TEMP TABLE ct_call AS
SELECT m.* REPLACE (
           ct_scoped_text(m.text0, s.partition, s.region, s.owner) AS text0,
           m.pattern OR ct_unscoped(m.text0, s.owner) AS pattern),
       s.region, s.account, s.partition, s.owner
FROM (
    SELECT r.*, COALESCE(p.partition, 'aws') AS partition, COALESCE(NULLIF(r.account, ''), '*') AS owner
    FROM ct_place AS r
    LEFT JOIN ct_partition AS p ON starts_with(r.region, p.region)
) AS s
JOIN ct_map AS m USING (event_source, event_name);
