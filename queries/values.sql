-- question: on which resources and branches was each granted (rule, action) used, and when for the first and last time?
-- grain: rule, action, dimension (resource, branch), value; the days are counted from 1970.
-- inputs: request; owner; touched (partial requests -> every rule that they may have used). A request without evidence
--         either way may be needed, so no narrowing may leave it out; of a partial one, what it shows is a value.
-- parameters: none.
CREATE OR REPLACE TEMP TABLE value_seen AS
WITH witness AS (SELECT id, rule FROM owner UNION SELECT id, rule FROM touched),
seen AS (
    SELECT w.rule, r.action, r.resource, r.branch, r.partial,
           epoch(r.first_used)::BIGINT // 86400 AS first_day, epoch(r.last_used)::BIGINT // 86400 AS last_day
    FROM witness AS w JOIN request AS r ON r.id = w.id
)
SELECT rule, action, 'resource' AS dimension, resource AS value, min(first_day) AS first_day, max(last_day) AS last_day
FROM seen WHERE NOT contains(partial, 'resource') GROUP BY ALL
UNION ALL
SELECT rule, action, 'branch', branch, min(first_day), max(last_day)
FROM seen WHERE NOT contains(partial, 'branch') GROUP BY ALL;
