-- question: how often, and in how many bursts, were the requests of each group used?
-- grain: group of requests; a burst is a run of uses with at most $gap seconds between one and the next.
-- inputs: own_event; request; risky_group (label, id): request ids, grouped in Python.
-- parameters: $agent, $first (timestamp), $after (first moment behind the window), $gap (seconds).
-- A day that was dropped says of each request how many bursts it had and how long the longest was: those that overlap are taken
-- as the same, so there are at least so many.
WITH grouped AS MATERIALIZED (
    SELECT g.label, r.* FROM risky_group g JOIN request r ON r.id = g.id
),
used AS (
    SELECT r.label, e.time, e.last_time, e.uses, e.bursts, e.longest,
           epoch(e.time - max(e.last_time) OVER (
               PARTITION BY r.label ORDER BY e.time, e.last_time ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS pause
    FROM own_event($agent, $first, $after) AS e
    JOIN grouped r ON r.service = e.service AND r.action = e.action AND r.resource = e.resource
     AND r.branch = e.branch AND r.partial = e.partial
     AND r.kind = CASE WHEN e.outcome = 'approved' THEN 'approved' ELSE 'exercised' END
    WHERE e.mapped AND e.outcome IN ('used', 'used_unlogged', 'approved')
),
numbered AS (
    SELECT *, count(*) FILTER (pause IS NULL OR pause > $gap) OVER (
        PARTITION BY label ORDER BY time, last_time ROWS UNBOUNDED PRECEDING) AS burst
    FROM used
),
burst AS (
    SELECT label, burst, sum(uses) AS uses, max(bursts) AS bursts,
           CASE WHEN max(bursts) = 1 THEN epoch(max(last_time) - min(time)) ELSE max(longest) END AS seconds
    FROM numbered GROUP BY label, burst
)
SELECT label, sum(uses)::BIGINT AS uses, sum(bursts)::BIGINT AS bursts, max(seconds)::DOUBLE AS longest
FROM burst GROUP BY label ORDER BY label;
