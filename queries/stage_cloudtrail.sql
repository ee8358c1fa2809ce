-- question: which requests do the parsed records make, on what, and with what outcome?
-- grain: one request (staged); one rejected record; file and reason; file.
-- inputs: ct_record; ct_map (event_source, event_name, nr, of, conditional, action, mapped, problem,
--   needs_permission, when_path, when_text, when_wanted, pick, shapes, early, late); ct_error (code, outcome);
--   ct_problem (file_id, problem); ct_bad (file_id, position, reason) from the exact path.
-- parameters: none

CREATE OR REPLACE TEMP TABLE ct_offset AS
SELECT file_id, chunk, SUM(records) OVER (PARTITION BY file_id ORDER BY chunk) - records AS before
FROM (SELECT file_id, chunk, max(idx) AS records FROM ct_record GROUP BY ALL);

CREATE OR REPLACE TEMP VIEW ct_ready AS
SELECT r.* EXCLUDE (position), COALESCE(r.position, o.before + r.idx) AS position
FROM ct_record AS r JOIN ct_offset AS o USING (file_id, chunk);

INSERT INTO staged_rejected (file_id, position, reason, day)
SELECT file_id, position, COALESCE(reject, m.problem), time::DATE
FROM ct_ready AS r
LEFT JOIN ct_map AS m ON m.event_source = r.event_source AND m.event_name = r.event_name AND m.nr = 0
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

-- The first source of resources that works: a template meant to go first, resources[], ARNs among the parameters, the
-- other templates. An action with resource types whose resource is not found is partial, never silently absent.
CREATE OR REPLACE TEMP TABLE ct_request AS
WITH request AS (
    SELECT r.*, m.nr, m.of, m.action, m.mapped, m.pick, m.shapes, m.early, m.late, m.needs_permission, e.outcome AS error_outcome,
           CASE WHEN region LIKE 'cn-%' THEN 'aws-cn' WHEN region LIKE 'us-gov-%' THEN 'aws-us-gov' ELSE 'aws' END
               AS partition,
           COALESCE(NULLIF(account, ''), '*') AS owner
    FROM ct_ready AS r
    JOIN ct_map AS m USING (event_source, event_name)
    LEFT JOIN ct_error AS e ON e.code = r.error_code
    WHERE r.reject IS NULL AND r.idle IS NULL AND m.problem IS NULL
      AND (m.when_path = '' OR m.when_wanted = COALESCE(
            CASE WHEN m.when_path <> '' THEN contains(json_extract_string(r.params, m.when_path), m.when_text) END, false))
),
resolved AS (
    SELECT *,
        CASE
            WHEN NOT mapped THEN [{'arn': '*', 'partial': true}]
            WHEN len(shapes) = 0 OR NOT needs_permission THEN [{'arn': '', 'partial': false}]
            WHEN pick LIKE 'dynamodb-%' THEN ct_tables(params, pick, partition, region, owner)
            ELSE COALESCE(
                CASE WHEN len(early) > 0 THEN NULLIF(
                    ct_first(early, params, partition, region, owner, principal), []) END,
                CASE WHEN len(arns) > 0 THEN NULLIF(
                    CASE pick
                        WHEN 'source-key' THEN ct_fitting(arns, shapes)[1:1]
                        WHEN 'destination-key' THEN ct_fitting(arns, shapes)[-1:]
                        ELSE list_sort(list_distinct(ct_fitting(arns, shapes)))
                    END, []) END,
                CASE WHEN contains(params, '"arn:') THEN NULLIF(list_sort(list_distinct(ct_fitting(list_transform(
                    regexp_extract_all(CAST(params AS VARCHAR), '"(arn:aws[^"\\]*)"', 1),
                    lambda a: {'arn': a, 'partial': false}), shapes))), []) END,
                CASE WHEN len(late) > 0 THEN NULLIF(
                    ct_first(late, params, partition, region, owner, principal), []) END,
                [{'arn': '*', 'partial': true}])
        END AS found
    FROM request
)
SELECT file_id, chunk, idx, position, native_id, time, principal, session, action, mapped, request_id, indirect,
       -- A call that needs no permission says nothing about any grant: neither its use nor its disuse.
       CASE WHEN by_service THEN 'by_service' WHEN NOT needs_permission THEN 'no_evidence'
            ELSE COALESCE(error_outcome, 'used') END AS outcome,
       nr, of = 1 AND COALESCE(len(found), 0) <= 1 AS alone,
       found
FROM resolved;

INSERT INTO staged BY NAME
WITH request AS (
    SELECT * EXCLUDE (found), unnest(found) AS r, generate_subscripts(found, 1) AS ordinal FROM ct_request
),
-- A call of which no rule's condition holds is still a call: it is kept as unmapped.
other AS (
    SELECT r.*, split_part(r.event_source, '.', 1) || ':' || r.event_name AS name, e.outcome AS error_outcome
    FROM ct_ready AS r
    JOIN ct_map AS m ON m.event_source = r.event_source AND m.event_name = r.event_name AND m.nr = 0 AND m.conditional
    LEFT JOIN ct_error AS e ON e.code = r.error_code
    WHERE r.reject IS NULL AND r.idle IS NULL
      AND NOT EXISTS (SELECT 1 FROM ct_request AS q WHERE q.file_id = r.file_id AND q.chunk = r.chunk AND q.idx = r.idx
                        AND len(q.found) > 0)
),
numbered AS (
    SELECT * EXCLUDE (nr, alone, ordinal), 0 AS part FROM request WHERE alone
    UNION ALL BY NAME
    SELECT * EXCLUDE (nr, alone, ordinal),
           row_number() OVER (PARTITION BY file_id, chunk, idx ORDER BY nr, ordinal) - 1 AS part
    FROM request WHERE NOT alone
    UNION ALL BY NAME
    SELECT file_id, position, native_id, time, principal, session, name AS action, false AS mapped, request_id, indirect,
           CASE WHEN by_service THEN 'by_service' ELSE COALESCE(error_outcome, 'used') END AS outcome,
           {'arn': '*', 'partial': true} AS r, 0 AS part
    FROM other
)
SELECT file_id, position, part::USMALLINT AS part, 'cloudtrail' AS source, native_id, time, '' AS agent, principal,
       session, 'aws' AS service, action, r.arn AS resource, '' AS branch,
       CASE WHEN r.partial THEN 'resource' ELSE '' END AS partial, outcome, '' AS decision,
       NULL::TIMESTAMP AS approved_at, request_id, indirect, false AS suspicious, mapped
FROM numbered;

DROP TABLE ct_request;
DROP VIEW ct_ready;
DROP TABLE ct_offset;
DROP TABLE ct_record;
