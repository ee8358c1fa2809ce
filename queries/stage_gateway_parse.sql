-- question: what do the lines of gateway logs hold, field by field, and which of them cannot be read?
-- grain: one line that is not blank (gw_line). `reason` is NULL where it can be read.
-- inputs: gw_text (file_id, position, mapped, line), read once
-- parameters: none
-- TRY: one line that is no JSON must not end the query.

CREATE OR REPLACE TEMP TABLE gw_line AS
WITH parsed AS (
    SELECT file_id, position, mapped, line, TRY(json_transform(line, '{
        "v": "JSON", "id": "VARCHAR", "time": "VARCHAR", "agent": "VARCHAR", "session": "VARCHAR",
        "on_behalf_of": "VARCHAR", "credential": "VARCHAR", "service": "VARCHAR", "action": "VARCHAR",
        "resource": "VARCHAR", "resources": "JSON", "branch": "VARCHAR", "args": "JSON", "decision": "VARCHAR",
        "approval": "JSON", "outcome": "VARCHAR", "error_code": "VARCHAR", "request_id": "VARCHAR",
        "policy_rev": "VARCHAR", "enforced": "JSON"}')) AS r
    FROM (
        SELECT file_id, position, mapped,
               CASE WHEN starts_with(line, '{') THEN line ELSE ltrim(line, E' \t\r\n\v\f') END AS line
        FROM gw_text
    )
    WHERE line <> ''
),
checked AS (
    SELECT file_id, position, mapped,
        CASE WHEN r IS NULL OR r.id IS NULL THEN line END AS unnamed,
        r.time IS NOT NULL AS timed, gw_time(r.time) AS moment,
        r.id, r.agent, r.session, r.on_behalf_of, lower(r.service) AS service, r.action, r.resource, r.resources, r.branch, r.args,
        r.decision, r.approval, r.outcome, r.error_code, r.request_id, r.v, r.enforced,
        CASE WHEN r IS NULL THEN NULL
             WHEN moment IS NULL
               OR r.decision NOT IN ('allow', 'deny', 'require_approval')
               OR r.outcome NOT IN ('success', 'error', 'denied', 'not_run')
               OR gw_odd(r.id) OR gw_odd(r.agent) OR gw_odd(r.session) OR gw_odd(r.on_behalf_of) OR gw_odd(r.credential)
               OR gw_odd(r.service) OR gw_odd(r.action) OR gw_odd(r.resource) OR gw_odd(r.branch)
               OR gw_odd(r.error_code) OR gw_odd(r.request_id) OR gw_odd(r.policy_rev)
             THEN gw_mistyped(line) END AS mistyped
    FROM parsed
),
typed AS (
    SELECT *, CASE WHEN approval IS NOT NULL AND json_type(approval) = 'OBJECT'
                   THEN json_transform(approval, '{"state": "VARCHAR", "at": "VARCHAR"}') END AS verdict
    FROM checked
)
SELECT file_id, position, mapped, unnamed, id, agent, session, on_behalf_of, service, action, resource, resources,
       branch, CASE WHEN service = 'tools' THEN args END AS args, decision, verdict.state AS state,
       gw_time(verdict.at) AS decided_at,
       gw_result(outcome, error_code) AS outcome, COALESCE(error_code, '') AS error_code,
       request_id, COALESCE(enforced <> 'false', true) AS enforced, moment,
       CASE
           -- nearly every line is in order, and this one test says so; the others then see few lines
           WHEN moment IS NOT NULL AND mistyped IS NULL AND agent <> '' AND service <> '' AND action <> ''
                AND decision IN ('allow', 'deny', 'require_approval')
                AND (outcome IS NULL OR outcome IN ('success', 'error', 'denied', 'not_run'))
                AND (v IS NULL OR v = '1') AND enforced IS NULL AND resources IS NULL AND approval IS NULL
                AND (args IS NULL OR starts_with(args, '{'))
               THEN NULL
           WHEN NOT timed AND agent IS NULL AND service IS NULL AND action IS NULL AND decision IS NULL
               THEN CASE WHEN unnamed IS NULL OR TRY(json_type(unnamed)) = 'OBJECT'
                         THEN 'time, agent, service, action and decision are missing' ELSE 'not a JSON object' END
           WHEN v IS NOT NULL AND v <> '1'
               THEN CASE WHEN json_type(v) IN ('UBIGINT', 'BIGINT') THEN 'format version ' || v || ': this reader knows 1'
                         ELSE 'v is not a whole number' END
           WHEN mistyped IS NOT NULL THEN mistyped
           WHEN NOT timed THEN 'time is missing'
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
