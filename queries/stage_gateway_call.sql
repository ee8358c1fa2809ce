-- question: which requests do the calls of tools make, those apart that stage_gateway.sql has put into `staged`?
-- grain: one request: the columns of event, in its order (staged_call).
-- inputs: staged_line (its calls); gw_call; gw_resource
-- parameters: source

SELECT l.file_id, l.position, COALESCE(r.part, 0)::USMALLINT AS part, $source AS source, l.id AS native_id, l.moment AS time,
       l.agent, '' AS principal, COALESCE(l.session, '') AS session, l.service, l.action,
       COALESCE(r.resource, '') AS resource, l.branch, CASE WHEN r.partial THEN 'resource' ELSE '' END AS partial,
       l.class AS outcome, l.decision, l.approved_at, COALESCE(l.request_id, '') AS request_id, false AS indirect,
       false AS suspicious, true AS mapped, 0 AS identity
FROM staged_line AS l JOIN gw_call AS c ON c.action = l.action AND c.args = l.args
LEFT JOIN gw_resource AS r ON r.call = c.call
WHERE l.call AND NOT COALESCE(contains('/' || r.resource, '/.'), false);
