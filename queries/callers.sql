-- question: which callers made the requests for which the log names no agent, and what identifies them?
-- grain: identity.
-- inputs: event_caller; caller (a view: the sign-in session only where it is the AWS MCP Server's).
-- parameters: none.
SELECT c.id, c.source_identity, c.sign_in_session, c.agentcore_runtime, c.jwt_sub, c.jwt_client, c.role, c.session_name,
       c.access_key
FROM caller AS c
WHERE c.id IN (SELECT e.caller FROM event_caller AS e WHERE e.agent = '')
ORDER BY c.id;
