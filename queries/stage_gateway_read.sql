-- question: what do the lines of whole, uncompressed gateway logs hold, as far as they are as plain as nearly all are?
-- grain: one line that is not blank, in the order of the files and of their lines. `plain`: exactly one request, with
--   nothing to look at again. `call`: the same, but for a tool's arguments, which make a request each. A line that is
--   neither is to be read again as text (stage_gateway_parse.sql).
-- inputs: the files themselves: DuckDB reads them side by side on all cores
-- parameters: paths
-- A line that is no JSON comes as a row of NULLs (ignore_errors), hence as neither.

WITH line AS (
    SELECT *, file_index, gw_time(time) AS moment, lower(service) AS service_name,
           CASE WHEN approval IS NOT NULL AND json_type(approval) = 'OBJECT'
                THEN json_transform(approval, '{"state": "VARCHAR", "at": "VARCHAR"}') END AS verdict,
           CASE WHEN verdict IS NOT NULL THEN gw_time(verdict['at']) END AS decided_at,
           service_name = 'tools' AND args IS NOT NULL AND args <> '{}' AS argued
    FROM read_json($paths, format = 'newline_delimited', ignore_errors = true, compression = 'none', columns = {
        'v': 'JSON', 'id': 'VARCHAR', 'time': 'VARCHAR', 'agent': 'VARCHAR', 'session': 'VARCHAR',
        'on_behalf_of': 'VARCHAR', 'credential': 'VARCHAR', 'service': 'VARCHAR', 'action': 'VARCHAR',
        'resource': 'VARCHAR', 'resources': 'JSON', 'branch': 'VARCHAR', 'args': 'JSON', 'decision': 'VARCHAR',
        'approval': 'JSON', 'outcome': 'VARCHAR', 'error_code': 'VARCHAR', 'request_id': 'VARCHAR',
        'policy_rev': 'VARCHAR', 'enforced': 'JSON'})
),
-- (a step of its own, so that `sound` is worked out once and not wherever it is named)
judged AS (
    SELECT *,
           COALESCE(
               moment IS NOT NULL AND id IS NOT NULL AND agent <> '' AND service <> '' AND action <> ''
               AND decision IN ('allow', 'deny', 'require_approval')
               AND (outcome IS NULL OR outcome IN ('success', 'error', 'denied', 'not_run'))
               AND (v IS NULL OR v = '1') AND (enforced IS NULL OR enforced IN ('true', 'false')) AND resources IS NULL
               AND CASE WHEN approval IS NOT NULL
                        THEN json_type(approval) = 'OBJECT' AND json_type(approval, '$.state') = 'VARCHAR'
                             AND verdict['state'] IN ('approved', 'refused', 'timed_out', 'pending')
                             AND (verdict['at'] IS NULL OR decided_at IS NOT NULL)
                        ELSE true END
               AND CASE WHEN args IS NOT NULL THEN starts_with(args, '{') ELSE true END
               AND CASE WHEN service_name = 'git' THEN NOT gw_blind_push(service_name, action, branch) ELSE true END
               -- (46 is a full stop: such paths are looked at one by one)
               AND CASE WHEN resource IS NOT NULL THEN NOT contains(resource, '/.') AND ascii(resource) <> 46 ELSE true END
               AND CASE WHEN branch IS NOT NULL THEN NOT contains(branch, '/.') AND ascii(branch) <> 46 ELSE true END,
               false)
           AND NOT COALESCE(gw_odd(id), false) AND NOT COALESCE(gw_odd(agent), false)
           AND NOT COALESCE(gw_odd(session), false) AND NOT COALESCE(gw_odd(on_behalf_of), false)
           AND NOT COALESCE(gw_odd(credential), false) AND NOT COALESCE(gw_odd(service), false)
           AND NOT COALESCE(gw_odd(action), false) AND NOT COALESCE(gw_odd(resource), false)
           AND NOT COALESCE(gw_odd(branch), false) AND NOT COALESCE(gw_odd(error_code), false)
           AND NOT COALESCE(gw_odd(request_id), false) AND NOT COALESCE(gw_odd(policy_rev), false) AS sound
    FROM line
)
SELECT file_index, sound,
       sound AND NOT COALESCE(argued, false) AS plain, sound AND COALESCE(argued, false) AS call,
       moment, id, agent, session, on_behalf_of, service_name AS service, action, resource, gw_branch(branch) AS branch,
       CASE WHEN call THEN args::VARCHAR END AS args, decision, request_id,
       CASE WHEN sound
            THEN gw_outcome(gw_result(outcome, error_code), decision, COALESCE(enforced <> 'false', true),
                            verdict['state'], gw_failed(error_code))
       END AS class,
       CASE WHEN verdict['state'] = 'approved' THEN decided_at END AS approved_at
FROM judged;
