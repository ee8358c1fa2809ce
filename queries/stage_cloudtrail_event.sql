-- question: which requests do the parsed records make, on what, and with what outcome?
-- grain: one request on one resource (ct_event): the columns of event as far as they differ from one to the next.
-- inputs: ct_ready, ct_named (stage_cloudtrail_first.sql); ct_request; ct_row, ct_found (stage_cloudtrail_resource.sql);
--   ct_map; ct_error (code, outcome)
-- parameters: none

WITH
-- A call of which no rule's condition holds is still a call: it is kept as unmapped.
other AS (
    SELECT r.*, split_part(r.event_source, '.', 1) || ':' || r.event_name AS name, e.outcome AS error_outcome
    FROM ct_ready AS r
    JOIN ct_map AS m ON m.event_source = r.event_source AND m.event_name = r.event_name AND m.nr = 0 AND m.conditional
    LEFT JOIN ct_error AS e ON e.code = r.error_code
    WHERE r.reject IS NULL AND r.idle IS NULL
      AND NOT EXISTS (SELECT 1 FROM ct_named AS d WHERE d.record = r.record)
      AND NOT EXISTS (SELECT 1 FROM ct_request AS q WHERE q.record = r.record AND q.plain)
      AND NOT EXISTS (
          SELECT 1 FROM ct_sought AS q
          WHERE q.record = r.record
            AND (NOT starts_with(q.pick, 'dynamodb-') OR q.request IN (SELECT request FROM ct_found)))
),
-- A refusal that names an action on an ARN, or one that the call is not known to need.
named AS (
    SELECT r.*, d.action, d.typed, d.arn
    FROM ct_ready AS r
    JOIN ct_named AS d USING (record)
    JOIN ct_map AS m ON m.event_source = r.event_source AND m.event_name = r.event_name AND m.nr = 0
    WHERE m.problem IS NULL
      AND NOT EXISTS (SELECT 1 FROM ct_request AS q WHERE q.record = r.record AND q.plain)
      AND NOT EXISTS (SELECT 1 FROM ct_row AS q WHERE q.record = r.record)
),
numbered AS (
    SELECT *, 0 AS part FROM ct_row WHERE alone
    UNION ALL BY NAME
    SELECT *, row_number() OVER (PARTITION BY record ORDER BY nr, vague, resource) - 1 AS part
    FROM ct_row WHERE NOT alone
    UNION ALL BY NAME
    SELECT record, file_id, position, native_id, time, identity, principal, session, name AS action, false AS mapped, request_id,
           indirect,
           CASE WHEN by_service THEN 'by_service' ELSE COALESCE(error_outcome, 'used') END AS outcome,
           '*' AS resource, true AS vague, 0 AS part
    FROM other
    UNION ALL BY NAME
    SELECT record, file_id, position, native_id, time, identity, principal, session, action, true AS mapped, request_id,
           indirect,
           CASE WHEN by_service THEN 'by_service' ELSE 'refused' END AS outcome,
           CASE WHEN NOT typed THEN '' WHEN arn = '' THEN '*' ELSE arn END AS resource,
           typed AND (arn = '' OR contains(arn, '*')) AS vague, 0 AS part
    FROM named
)
SELECT record, file_id, position, part::USMALLINT AS part, native_id, time, principal, session, action, resource, vague, outcome,
       request_id, indirect, mapped, identity, true AS plain
FROM numbered;

