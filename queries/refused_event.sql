-- question: what does one native event say, who made it, and how often was each of its requests refused?
-- grain: one request of the event.
-- inputs: event_caller; logged; log_file.
-- parameters: $id.
SELECT e.file_id, e.position, e.time, e.source, e.agent, e.caller, e.service, e.action, e.resource, e.branch, e.partial,
       e.decision, e.outcome, e.mapped, f.uri,
       (SELECT sum(o.uses)::BIGINT FROM logged AS o
        WHERE o.outcome = 'refused' AND o.agent = e.agent AND o.principal = e.principal AND o.service = e.service
          AND o.action = e.action AND o.resource = e.resource AND o.branch = e.branch) AS refusals
FROM event_caller AS e JOIN log_file AS f ON f.id = e.file_id
WHERE e.native_id = $id
ORDER BY e.file_id, e.position, e.part;
