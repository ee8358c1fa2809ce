-- question: what do the lines of gateway logs hold, field by field, and which of them cannot be read?
-- grain: one line that is not blank (gw_line). `reason` is NULL where it can be read.
-- inputs: gw_text (file_id, position, mapped, line), read once
-- parameters: none
-- The reader of json_transform turns 5 into '5' and ["x"] into '["x"]', so a text that could have come about like that
-- is looked at again by json_type. TRY: one line that is no JSON must not end the query.

-- (the first character decides at once for nearly all; 91 and 123 are [ and {, 58 follows 9)
CREATE OR REPLACE TEMP MACRO gw_odd(x) AS
    (ascii(x) < 58 AND regexp_full_match(x, '-?([0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?|[Ii]nf.*)'))
    OR ascii(x) IN (91, 123) OR x IN ('true', 'false', 'NaN', 'nan', 'Infinity', 'inf');

CREATE OR REPLACE TEMP MACRO gw_time(x) AS
    CASE WHEN regexp_full_match(
        x, '[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})')
    THEN CASE WHEN x ILIKE '%z' THEN TRY_CAST(upper(x) AS TIMESTAMP)
              -- a plain TIMESTAMP would ignore the zone
              ELSE make_timestamp(epoch_us(TRY_CAST(upper(x) AS TIMESTAMPTZ))) END
    END;

-- The first field that is there, is not null and is no text: 'agent is a number', else NULL.
CREATE OR REPLACE TEMP MACRO gw_mistyped(line) AS
    list_filter(
        list_transform(
            list_zip(
                ['id', 'time', 'agent', 'session', 'on_behalf_of', 'credential', 'service', 'action', 'resource',
                 'branch', 'decision', 'outcome', 'error_code', 'request_id', 'policy_rev'],
                json_type(line, [
                    '$.id', '$.time', '$.agent', '$.session', '$.on_behalf_of', '$.credential', '$.service', '$.action',
                    '$.resource', '$.branch', '$.decision', '$.outcome', '$.error_code', '$.request_id', '$.policy_rev'])),
            lambda f: CASE
                WHEN f[2] IS NULL OR f[2] IN ('VARCHAR', 'NULL') THEN NULL
                WHEN f[2] = 'OBJECT' THEN f[1] || ' is an object, not text'
                WHEN f[2] = 'ARRAY' THEN f[1] || ' is a list, not text'
                WHEN f[2] = 'BOOLEAN' THEN f[1] || ' is true or false, not text'
                ELSE f[1] || ' is a number, not text' END),
        lambda r: r IS NOT NULL)[1];

CREATE OR REPLACE TEMP TABLE gw_line AS
WITH parsed AS (
    SELECT file_id, position, mapped, line, TRY(json_transform(line, '{
        "v": "JSON", "id": "VARCHAR", "time": "VARCHAR", "agent": "VARCHAR", "session": "VARCHAR",
        "on_behalf_of": "VARCHAR", "credential": "VARCHAR", "service": "VARCHAR", "action": "VARCHAR",
        "resource": "VARCHAR", "resources": "JSON", "branch": "VARCHAR", "args": "JSON", "decision": "VARCHAR",
        "approval": "JSON", "outcome": "VARCHAR", "error_code": "VARCHAR", "request_id": "VARCHAR",
        "policy_rev": "VARCHAR", "enforced": "JSON"}')) AS r
    FROM gw_text
    WHERE starts_with(line, '{') OR trim(line, E' \t\r\n\v\f') <> ''
),
typed AS (
    SELECT file_id, position, mapped,
        CASE WHEN r IS NULL OR r.id IS NULL THEN line END AS unnamed,
        r.*,
        gw_time(r.time) AS moment,
        CASE WHEN r.approval IS NOT NULL AND json_type(r.approval) = 'OBJECT'
             THEN json_transform(r.approval, '{"state": "VARCHAR", "at": "VARCHAR"}') END AS verdict,
        CASE WHEN r IS NULL THEN NULL
             WHEN moment IS NULL
               OR r.decision NOT IN ('allow', 'deny', 'require_approval')
               OR r.outcome NOT IN ('success', 'error', 'denied', 'not_run')
               OR gw_odd(r.id) OR gw_odd(r.agent) OR gw_odd(r.session) OR gw_odd(r.on_behalf_of) OR gw_odd(r.credential)
               OR gw_odd(r.service) OR gw_odd(r.action) OR gw_odd(r.resource) OR gw_odd(r.branch)
               OR gw_odd(r.error_code) OR gw_odd(r.request_id) OR gw_odd(r.policy_rev)
             THEN gw_mistyped(line) END AS mistyped
    FROM parsed
)
SELECT file_id, position, mapped, unnamed, id, agent, session, lower(service) AS service, action, resource, resources,
       branch, CASE WHEN lower(service) = 'tools' THEN args END AS args, decision, verdict.state AS state,
       gw_time(verdict.at) AS decided_at,
       COALESCE(outcome, CASE WHEN error_code <> '' THEN 'error' END) AS outcome, COALESCE(error_code, '') AS error_code,
       request_id, COALESCE(enforced <> 'false', true) AS enforced, moment,
       CASE
           -- nearly every line is in order, and this one test says so; the others then see few lines
           WHEN moment IS NOT NULL AND mistyped IS NULL AND agent <> '' AND service <> '' AND action <> ''
                AND decision IN ('allow', 'deny', 'require_approval')
                AND (outcome IS NULL OR outcome IN ('success', 'error', 'denied', 'not_run'))
                AND (v IS NULL OR v = '1') AND enforced IS NULL AND resources IS NULL AND approval IS NULL
                AND (args IS NULL OR starts_with(args, '{'))
               THEN NULL
           WHEN time IS NULL AND agent IS NULL AND service IS NULL AND action IS NULL AND decision IS NULL
               THEN CASE WHEN unnamed IS NULL OR TRY(json_type(unnamed)) = 'OBJECT'
                         THEN 'time, agent, service, action and decision are missing' ELSE 'not a JSON object' END
           WHEN v IS NOT NULL AND v <> '1'
               THEN CASE WHEN json_type(v) IN ('UBIGINT', 'BIGINT') THEN 'format version ' || v || ': this reader knows 1'
                         ELSE 'v is not a whole number' END
           WHEN mistyped IS NOT NULL THEN mistyped
           WHEN time IS NULL THEN 'time is missing'
           WHEN COALESCE(agent, '') = '' THEN 'agent is missing'
           WHEN COALESCE(service, '') = '' THEN 'service is missing'
           WHEN COALESCE(action, '') = '' THEN 'action is missing'
           WHEN decision IS NULL THEN 'decision is missing'
           WHEN moment IS NULL THEN 'time is not an RFC 3339 time with a zone'
           WHEN decision NOT IN ('allow', 'deny', 'require_approval')
               THEN 'decision is none of allow, deny, require_approval'
           WHEN outcome NOT IN ('success', 'error', 'denied', 'not_run')
               THEN 'outcome is none of success, error, denied, not_run'
           WHEN enforced NOT IN ('true', 'false') THEN 'enforced is not true or false'
           WHEN args IS NOT NULL AND json_type(args) <> 'OBJECT' THEN 'args is not an object'
           WHEN resources IS NOT NULL
                AND (json_type(resources) <> 'ARRAY'
                     OR len(list_filter(json_type(resources, '$[*]'), lambda t: t <> 'VARCHAR')) > 0)
               THEN 'resources is not a list of texts'
           WHEN approval IS NOT NULL THEN CASE
               WHEN verdict IS NULL THEN 'approval is not an object'
               WHEN COALESCE(json_type(approval, '$.state'), 'NULL') NOT IN ('VARCHAR', 'NULL')
                    OR verdict.state NOT IN ('approved', 'refused', 'timed_out', 'pending')
                   THEN 'approval.state is none of approved, refused, timed_out, pending'
               WHEN verdict.at IS NOT NULL AND gw_time(verdict.at) IS NULL
                   THEN 'approval.at is not an RFC 3339 time with a zone' END
       END AS reason
FROM typed;
