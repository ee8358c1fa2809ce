-- question: what do the lines of whole, uncompressed gateway logs hold, and which of them are as plain as nearly all are?
-- grain: one line that is not blank, in the order of the files and of their lines. `plain`: exactly one request, with nothing to
--   look at again. `call`: the same, but for a tool's arguments, which make a request each. `doubtful`: only the line's own text can say what is wrong or missing. The others are in between.
-- inputs: the files themselves: DuckDB reads them side by side on all cores
-- parameters: paths
-- A line that is no JSON comes as a row of NULLs (ignore_errors), hence as doubtful.

WITH line AS (
    SELECT *, file_index, gw_time(time) AS moment, lower(service) AS service_name,
           CASE WHEN approval IS NOT NULL AND json_type(approval) = 'OBJECT'
                THEN json_transform(approval, '{"state": "VARCHAR", "at": "VARCHAR"}') END AS verdict,
           CASE WHEN verdict IS NOT NULL THEN gw_time(verdict['at']) END AS decided_at,
           id IS NULL OR moment IS NULL
           OR decision NOT IN ('allow', 'deny', 'require_approval')
           OR outcome NOT IN ('success', 'error', 'denied', 'not_run')
           OR gw_odd(id) OR gw_odd(agent) OR gw_odd(session) OR gw_odd(on_behalf_of) OR gw_odd(credential)
           OR gw_odd(service) OR gw_odd(action) OR gw_odd(resource) OR gw_odd(branch)
           OR gw_odd(error_code) OR gw_odd(request_id) OR gw_odd(policy_rev) AS doubt
    FROM read_json($paths, format = 'newline_delimited', ignore_errors = true, compression = 'none', columns = {
        'v': 'JSON', 'id': 'VARCHAR', 'time': 'VARCHAR', 'agent': 'VARCHAR', 'session': 'VARCHAR',
        'on_behalf_of': 'VARCHAR', 'credential': 'VARCHAR', 'service': 'VARCHAR', 'action': 'VARCHAR',
        'resource': 'VARCHAR', 'resources': 'JSON', 'branch': 'VARCHAR', 'args': 'JSON', 'decision': 'VARCHAR',
        'approval': 'JSON', 'outcome': 'VARCHAR', 'error_code': 'VARCHAR', 'request_id': 'VARCHAR',
        'policy_rev': 'VARCHAR', 'enforced': 'JSON'})
)
SELECT file_index, COALESCE(doubt, false) AS doubtful,
       service_name = 'tools' AND args IS NOT NULL AND args <> '{}' AS argued,
       COALESCE(
           NOT doubtful AND agent <> '' AND service <> '' AND action <> '' AND decision IS NOT NULL
           AND (v IS NULL OR v = '1') AND enforced IS NULL AND resources IS NULL
           AND CASE WHEN approval IS NOT NULL
                    THEN json_type(approval) = 'OBJECT' AND json_type(approval, '$.state') = 'VARCHAR'
                         AND verdict['state'] IN ('approved', 'refused', 'timed_out', 'pending')
                         AND (verdict['at'] IS NULL OR decided_at IS NOT NULL)
                    ELSE true END
           AND CASE WHEN args IS NOT NULL THEN starts_with(args, '{') ELSE true END
           AND CASE WHEN service_name = 'git' THEN NOT gw_blind_push(service_name, action, branch) ELSE true END
           AND CASE WHEN resource IS NOT NULL THEN NOT contains(resource, '/.') AND ascii(resource) <> 46 ELSE true END
           AND CASE WHEN branch IS NOT NULL THEN NOT contains(branch, '/.') AND ascii(branch) <> 46 ELSE true END,
           false) AS sound, -- (46 is a full stop: such paths are looked at one by one)
       sound AND NOT argued AS plain, sound AND argued AS call,
       moment, id, agent, session, service_name AS service, action, resource, resources::VARCHAR AS resources,
       CASE WHEN sound THEN gw_branch(branch) ELSE branch END AS branch, args::VARCHAR AS args, decision,
       approval::VARCHAR AS approval, outcome, error_code, request_id, v::VARCHAR AS v, enforced::VARCHAR AS enforced,
       CASE WHEN sound
            THEN gw_outcome(gw_result(outcome, error_code), decision, true, verdict['state'], gw_failed(error_code))
       END AS class,
       CASE WHEN sound AND verdict['state'] = 'approved' THEN decided_at END AS approved_at
FROM line;
