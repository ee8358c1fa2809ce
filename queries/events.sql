-- question: what was read, request by request?
-- grain: one request of an event.
-- inputs: event; log_file.
-- parameters: none.
SELECT e.time, e.source, e.native_id, e.part, e.agent, e.principal, e.session, e.service, e.action, e.resource, e.branch,
       e.partial, e.decision, e.outcome, e.request_id, e.indirect, e.suspicious, e.mapped, f.uri AS file, e.position
FROM event e JOIN log_file f ON f.id = e.file_id
ORDER BY e.time, e.source, e.native_id, e.part;
