-- question: none; the temporary tables between one batch of log files and the database.
-- grain: staged, one request of one native record (the columns of event); staged_request, these and what lies in Arrow tables as
--   one; staged_run, staged_identity, staged_mcp_call, as run, identity and mcp_call; staged_rejected, one native record that could not be
--   read (`day`: the day that it is of, where that much is known); staged_not_use, file and reason; staged_file, one file.
-- inputs: event, run, identity, mcp_call, trail_record, trail_shown (for their columns); staged_line, staged_call, staged_trail
--   (logs/staging.py)
-- parameters: none

CREATE OR REPLACE TEMP TABLE staged AS FROM event LIMIT 0;

-- Nearly every line of a gateway's log is exactly one request: such lines go into `event` from where they were parsed
-- (staged_line, an Arrow table), without a copy in between. So do the calls of tools (staged_call) and the requests of
-- CloudTrail's records (staged_trail).
CREATE OR REPLACE TEMP VIEW staged_request AS
FROM staged
UNION ALL
SELECT file_id, position, part, 'cloudtrail', native_id, time, '', principal, session, 'aws', action, resource, '',
       CASE WHEN vague THEN 'resource' ELSE '' END, outcome, '', NULL, request_id, indirect, false, mapped, identity
FROM staged_trail
WHERE plain
UNION ALL
FROM staged_call
UNION ALL
SELECT file_id, position, 0::USMALLINT, 'gateway', id, moment, agent, '', COALESCE(session, ''), service, action,
       COALESCE(resource, ''), branch, '', class, decision, approved_at, COALESCE(request_id, ''), false, false, true,
       0
FROM staged_line
WHERE plain;

-- Whom or what runs were started for, where gateway lines say it.
CREATE OR REPLACE TEMP TABLE staged_run AS FROM run LIMIT 0;

-- What CloudTrail files bring besides requests: callers that `identity` does not hold yet, and calls of AWS's MCP server.
CREATE OR REPLACE TEMP TABLE staged_identity AS FROM identity LIMIT 0;

CREATE OR REPLACE TEMP TABLE staged_mcp_call AS FROM mcp_call LIMIT 0;

CREATE OR REPLACE TEMP TABLE staged_rejected (
    file_id INTEGER NOT NULL, position BIGINT NOT NULL, reason VARCHAR NOT NULL, day DATE
);

CREATE OR REPLACE TEMP TABLE staged_not_use (
    file_id INTEGER NOT NULL, reason VARCHAR NOT NULL, records BIGINT NOT NULL
);

CREATE OR REPLACE TEMP TABLE staged_file (
    file_id INTEGER NOT NULL,
    records BIGINT NOT NULL,                  -- native records seen
    problem VARCHAR NOT NULL DEFAULT ''       -- why it was not read to its end; '' = it was
);

-- Of CloudTrail's records only (the columns of the tables of the same names).
CREATE OR REPLACE TEMP TABLE staged_trail_record AS FROM trail_record LIMIT 0;

CREATE OR REPLACE TEMP TABLE staged_trail_shown AS FROM trail_shown LIMIT 0;
