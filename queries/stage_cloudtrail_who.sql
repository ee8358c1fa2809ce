-- question: which distinct callers do the parsed records name, and which calls did the AWS MCP Server make for them?
-- grain: ct_identity, one combination with its id; staged_identity, those that the database does not hold yet;
--   staged_mcp_call, a tool call or sign-in and one request behind it.
-- inputs: ct_record; identity; ct_mcp (event_type, event_source, event_name, resource: globs that a record of that server
--   fits)
-- parameters: none
-- Ids follow the first file that names a caller, then the caller's own texts: they are the same however files are batched.

CREATE OR REPLACE TEMP TABLE ct_identity AS
WITH combination AS (
    SELECT source_identity, sign_in_session, jwt_sub, jwt_client, principal, session, access_key,
           min(file_id) AS file_id
    FROM ct_record
    WHERE reject IS NULL AND NOT by_service AND (idle IS NULL OR sign_in_session <> '' OR downstream IS NOT NULL)
    GROUP BY ALL
),
named AS (
    FROM combination
    WHERE source_identity || sign_in_session || jwt_sub || jwt_client || principal || session || access_key <> ''
)
SELECT n.* EXCLUDE (file_id), false AS by_service, i.id IS NULL AS fresh,
       COALESCE(i.id, (SELECT COALESCE(max(id), 0) FROM identity)
           + row_number() OVER (PARTITION BY i.id IS NULL
                               ORDER BY n.file_id, n.source_identity, n.sign_in_session, n.jwt_sub, n.jwt_client,
                                        n.principal, n.session, n.access_key))::INTEGER AS id
FROM named AS n
LEFT JOIN identity AS i
       ON i.source_identity = n.source_identity AND i.sign_in_session = n.sign_in_session AND i.jwt_sub = n.jwt_sub
      AND i.jwt_client = n.jwt_client AND i.role = n.principal AND i.session_name = n.session
      AND i.access_key = n.access_key;

INSERT INTO staged_identity
SELECT id, source_identity, sign_in_session,
       regexp_extract(session, '^BedrockAgentCore-([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$', 1),
       jwt_sub, jwt_client, principal, session, access_key
FROM ct_identity WHERE fresh ORDER BY id;

INSERT INTO staged_mcp_call
SELECT file_id, id, unnest(CASE WHEN len(downstream) > 0 THEN downstream ELSE [''] END)
FROM (
    SELECT r.file_id, i.id, list_filter(r.downstream, lambda x: x <> '') AS downstream
    FROM (
        FROM ct_record WHERE reject IS NULL AND (sign_in_session <> '' OR downstream IS NOT NULL)
    ) AS r
    JOIN ct_identity AS i
        USING (source_identity, sign_in_session, jwt_sub, jwt_client, principal, session, access_key, by_service)
    WHERE EXISTS (
        SELECT 1 FROM ct_mcp AS m
        WHERE r.event_type GLOB m.event_type AND r.event_source GLOB m.event_source AND r.event_name GLOB m.event_name
          AND COALESCE(json_extract_string(r.params, '$.resource'), '') GLOB m.resource)
);
