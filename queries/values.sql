-- question: on which resources and branches was each granted (rule, action) used, when for the first and last time, and by which
--           session first?
-- grain: rule, action, dimension (resource, branch), value; the days are counted from 1970, a session is 32 bits of its hash,
--         the days of use (as in request.sql) are those of tools' arguments, and 0 for everything else.
-- inputs: request; owner; touched (partial requests -> every rule that they may have used). A request without evidence
--         either way may be needed, so no narrowing may leave it out; of a partial one, what it shows is a value. Neither bears out a
--         wildcard: where a value has nothing better, its session is -1.
-- parameters: none.
CREATE OR REPLACE TEMP TABLE value_seen AS
WITH witness AS (SELECT id, rule FROM owner UNION ALL SELECT id, rule FROM touched), -- no request is in both
seen AS (
    SELECT w.rule, r.action, r.resource, r.branch, r.partial, r.opened, r.days, epoch(r.last_used)::BIGINT // 86400 AS last_day,
           r.kind IN ('exercised', 'approved') AND r.partial = '' AS sure
    FROM witness AS w JOIN request AS r ON r.id = w.id
),
value AS (
    SELECT rule, action, 'resource' AS dimension, resource AS value, min(opened) AS opened,
           min(opened) FILTER (WHERE sure) AS surely, max(last_day) AS last_day,
           bit_or(days) FILTER (contains(resource, '=')) AS days
    FROM seen WHERE NOT contains(partial, 'resource') GROUP BY ALL
    UNION ALL
    SELECT rule, action, 'branch', branch, min(opened), min(opened) FILTER (WHERE sure), max(last_day), 0
    FROM seen WHERE NOT contains(partial, 'branch') GROUP BY ALL
)
SELECT rule, action, dimension, value, coalesce(surely, opened) // 4294967296 AS first_day, last_day,
       coalesce(surely % 4294967296, -1) AS session, coalesce(days, 0) AS days
FROM value;
