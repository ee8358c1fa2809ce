-- question: which CloudTrail requests of this agent are calls that are counted already (one call, two witnesses)?
-- Its gateway logged it; or another account got a copy of the same record; or a later record replaces it.
-- grain: one request of a CloudTrail record.
-- inputs: logged; event_caller; trail_event; trail_record; agent_caller.
-- parameters: $agent, $first (timestamp), $after (first moment behind the window).
-- Of days that were dropped this was settled when they were; their gateway's rows still tell a call at their end.
-- CloudTrail stamps whole seconds, so a gateway line is compared from the start of its second.
CREATE OR REPLACE TEMP TABLE second_witness AS
WITH trail AS (
    SELECT file_id, position, part, time, action, resource, request_id
    FROM trail_event($first, $after)
    WHERE source = 'cloudtrail' AND file_id IS NOT NULL
),
gate AS (
    SELECT date_trunc('second', time) AS since,
           greatest(last_time, coalesce(approved_at, last_time)) + INTERVAL 15 MINUTE AS until,
           action, resource, request_id
    FROM logged
    WHERE source <> 'cloudtrail' AND agent = $agent AND service = 'aws' AND decision <> 'deny'
      AND time >= $first - INTERVAL 1 DAY AND time < $after
)
SELECT t.file_id, t.position, t.part
FROM trail t SEMI JOIN gate g ON t.request_id <> '' AND t.request_id = g.request_id
UNION
SELECT t.file_id, t.position, t.part
FROM trail t JOIN gate g
  ON g.request_id = '' AND g.action = t.action AND g.resource = t.resource AND t.time BETWEEN g.since AND g.until
UNION
-- Of several copies the caller's own account's counts.
SELECT file_id, position, part
FROM (
    SELECT e.file_id, e.position, e.part,
           dense_rank() OVER (PARTITION BY r.shared_id ORDER BY r.elsewhere, r.native_id) AS nr
    FROM event_caller e JOIN trail_record r USING (file_id, position)
    WHERE r.shared_id <> '' AND e.source = 'cloudtrail' AND e.caller IN (SELECT identity FROM agent_caller)
)
WHERE nr > 1
UNION
-- Two records that each claim to replace the other are both kept: nothing that was used may be lost.
SELECT e.file_id, e.position, e.part
FROM logged e JOIN trail_record r ON r.corrects = e.native_id
WHERE e.source = 'cloudtrail' AND e.file_id IS NOT NULL AND r.corrects <> '' AND r.native_id <> e.native_id
  AND NOT EXISTS (SELECT 1 FROM trail_record b WHERE b.native_id = e.native_id AND b.corrects = r.native_id);
