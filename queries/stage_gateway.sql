-- question: which requests do the readable gateway lines make, and with what outcome (policy-semantics, section 4)?
-- grain: one request (staged), without the calls of stage_gateway_call.sql; one rejected line (staged_rejected);
--   file, agent, session and what it was started for (staged_run).
-- inputs: gw_line, gw_call, gw_entry, gw_list; staged_line (its calls); gw_leaf (name, raw, nr, path, text) for arguments that are no plain text;
--   gw_spoken (kind, text, nr, resource, partial) for arguments that a program reads; gw_secret (path);
--   gw_id (file_id, position, native_id) for lines without an id
-- parameters: source, secret (regular expression of values that are not kept), parsed (whether staged_line belongs to it)

-- grain: resource of one distinct call
CREATE OR REPLACE TEMP TABLE gw_resource AS
WITH leaf AS (
    SELECT e.call, e.nr, 0 AS sub, e.name AS path, e.raw ->> '$' AS text
    FROM gw_entry AS e WHERE e.kind IS NULL AND e.name IS NOT NULL AND starts_with(e.raw, '"')
    UNION ALL
    SELECT e.call, e.nr, l.nr AS sub, l.path, l.text
    FROM gw_entry AS e JOIN gw_leaf AS l ON l.name IS NOT DISTINCT FROM e.name AND l.raw = e.raw
    WHERE e.kind IS NULL AND (e.name IS NULL OR NOT starts_with(e.raw, '"'))
),
kept AS (
    SELECT leaf.* EXCLUDE (text),
           s.path IS NOT NULL OR regexp_matches(text, $secret) AS partial,
           CASE WHEN s.path IS NOT NULL THEN '*' WHEN partial THEN regexp_replace(text, $secret, '*', 'g') ELSE text END
               AS kept
    FROM leaf LEFT JOIN gw_secret AS s ON s.path = leaf.path
),
spoken AS (
    SELECT call, nr, 0 AS sub, text AS resource, false AS partial FROM gw_entry WHERE plain
    UNION ALL
    SELECT e.call, e.nr, s.nr AS sub, s.resource, s.partial
    FROM gw_entry AS e JOIN gw_spoken AS s ON s.kind = e.kind AND s.text = e.text
    WHERE e.kind IS NOT NULL AND NOT e.plain
),
every AS (
    SELECT call, nr, sub, path || '=' || kept AS resource, partial, false AS spoken FROM kept
    UNION ALL
    SELECT call, nr, sub, regexp_replace(resource, $secret, '*', 'g'), partial OR regexp_matches(resource, $secret), true
    FROM spoken
),
once AS (
    SELECT call, resource, bool_or(partial) AS partial, bool_or(spoken) AS spoken, min((nr, sub)) AS place
    FROM every GROUP BY ALL
)
SELECT call, resource, partial, spoken, row_number() OVER (PARTITION BY call ORDER BY place) - 1 AS part FROM once;

INSERT INTO staged_rejected (file_id, position, reason, day)
SELECT file_id, position, reason, CAST(moment AS DATE) FROM gw_line WHERE reason IS NOT NULL;

INSERT INTO staged_run
SELECT DISTINCT file_id, agent, session, on_behalf_of
FROM gw_line
WHERE reason IS NULL AND on_behalf_of <> '' AND session <> '';

INSERT INTO staged
SELECT
    l.file_id, l.position, COALESCE(r.part, 0)::USMALLINT, $source, COALESCE(l.id, n.native_id), l.moment, l.agent, '',
    COALESCE(l.session, ''), l.service, l.action, COALESCE(r.resource, l.resource, ''),
    CASE WHEN gw_blind_push(l.service, l.action, l.branch) THEN '*' ELSE gw_branch(l.branch) END,
    CASE WHEN gw_blind_push(l.service, l.action, l.branch) THEN CASE WHEN r.partial THEN 'resource,branch' ELSE 'branch' END
         WHEN r.partial THEN 'resource' ELSE '' END,
    gw_outcome(l.outcome, l.decision, l.enforced, l.state, gw_failed(l.error_code)),
    l.decision, CASE WHEN l.state = 'approved' THEN l.decided_at END, COALESCE(l.request_id, ''), false, false,
    l.mapped, 0
FROM gw_line AS l
LEFT JOIN (
    SELECT a.file_id, a.position, r.resource, r.partial, r.part
    FROM gw_line AS a JOIN gw_call AS c ON c.action = a.action AND c.args = a.args JOIN gw_resource AS r ON r.call = c.call
    UNION ALL
    SELECT file_id, position, resource, false, part FROM gw_list
) AS r ON r.file_id = l.file_id AND r.position = l.position
LEFT JOIN gw_id AS n ON n.file_id = l.file_id AND n.position = l.position
WHERE l.reason IS NULL;

INSERT INTO staged
SELECT l.file_id, l.position, COALESCE(r.part, 0)::USMALLINT, $source, l.id, l.moment, l.agent, '',
       COALESCE(l.session, ''), l.service, l.action, COALESCE(r.resource, ''), l.branch,
       CASE WHEN r.partial THEN 'resource' ELSE '' END, l.class, l.decision, l.approved_at, COALESCE(l.request_id, ''),
       false, false, true, 0
FROM staged_line AS l JOIN gw_call AS c ON c.action = l.action AND c.args = l.args
LEFT JOIN gw_resource AS r ON r.call = c.call
WHERE $parsed AND l.call AND contains('/' || r.resource, '/.'); -- still to be normalised
