-- question: which CloudTrail requests of this agent are calls that its gateway also logged (one call, two witnesses)?
-- grain: one request of a CloudTrail record.
-- inputs: event; trail_event.
-- parameters: $agent, $first (timestamp), $after (first moment behind the window).
-- CloudTrail stamps whole seconds, so a gateway line is compared from the start of its second.
CREATE OR REPLACE TEMP TABLE second_witness AS
WITH trail AS (
    SELECT file_id, position, part, time, action, resource, request_id
    FROM trail_event($first, $after)
    WHERE source = 'cloudtrail'
),
gate AS (
    SELECT date_trunc('second', time) AS since,
           greatest(time, coalesce(approved_at, time)) + INTERVAL 15 MINUTE AS until,
           action, resource, request_id
    FROM event
    WHERE source <> 'cloudtrail' AND agent = $agent AND service = 'aws' AND decision <> 'deny'
      AND time >= $first - INTERVAL 1 DAY AND time < $after
)
SELECT t.file_id, t.position, t.part
FROM trail t SEMI JOIN gate g ON t.request_id <> '' AND t.request_id = g.request_id
UNION
SELECT t.file_id, t.position, t.part
FROM trail t JOIN gate g
  ON g.request_id = '' AND g.action = t.action AND g.resource = t.resource AND t.time BETWEEN g.since AND g.until;
