-- question: what would the first records of a file be read as?
-- grain: one request, in the order of the file.
-- inputs: staged_request
-- parameters: rows
SELECT position AS record, time, agent, principal, session, service, action, resource, branch, partial, outcome, decision,
       approved_at, request_id, native_id AS id
FROM staged_request
ORDER BY file_id, position, part
LIMIT $rows;
