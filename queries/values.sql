-- question: on which resources and branches was each granted (rule, action) used, and when for the first and last time?
-- grain: rule, action, dimension (resource, branch), value; the days are counted from 1970.
-- inputs: request; owner; touched (partial requests -> every rule that they may have used). A request without evidence
--         either way may be needed, so no narrowing may leave it out; of a partial one, what it shows is a value.
-- parameters: none.
CREATE OR REPLACE TEMP TABLE value_seen AS
WITH witness AS (SELECT id, rule FROM owner UNION SELECT id, rule FROM touched)
SELECT w.rule, r.action, d.dimension, d.value,
       epoch(min(r.first_used))::BIGINT // 86400 AS first_day, epoch(max(r.last_used))::BIGINT // 86400 AS last_day
FROM witness AS w
JOIN request AS r ON r.id = w.id,
     LATERAL (VALUES ('resource', r.resource), ('branch', r.branch)) AS d (dimension, value)
WHERE NOT contains(r.partial, d.dimension)
GROUP BY ALL;
