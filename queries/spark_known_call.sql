-- question: which tool calls does the database know, as a cluster has to know them?
-- grain: a tool call and one request made through it.
-- inputs: mcp_call; identity_text (spark_identity.sql).
-- parameters: none.
SELECT t.caller AS identity, c.request_id FROM mcp_call AS c JOIN identity_text AS t ON t.id = c.identity;
