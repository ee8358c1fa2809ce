-- question: what does the database hold about one native event?
-- grain: one request of the event.
-- inputs: event; log_file.
-- parameters: $id.
SELECT e.time, e.source, e.native_id, e.agent, e.principal, e.session, e.service, e.action, e.resource, e.branch,
       e.partial, e.decision, e.outcome, e.mapped, e.indirect, e.suspicious, f.uri, e.position
FROM event e JOIN log_file f ON f.id = e.file_id
WHERE e.native_id = $id
ORDER BY e.part;
