-- question: on which resources and branches was each granted (rule, action) used, and when for the first and last time?
-- grain: rule, action, dimension (resource, branch), value; the days are counted from 1970.
-- inputs: request; owner; matched; candidate. A request without evidence either way counts for every rule that could have
--         let it through: it may be needed, so no narrowing may leave it out.
-- parameters: none.
CREATE OR REPLACE TEMP TABLE value_seen AS
WITH witness AS (
    SELECT id, rule FROM owner
    UNION
    SELECT m.id, c.rule
    FROM matched m
    JOIN request r ON r.id = m.id AND r.kind = 'no_evidence'
    JOIN candidate c ON list_contains(m.rules, c.id) AND c.effect <> 'deny'
)
SELECT w.rule, r.action, d.dimension, d.value,
       epoch(min(r.first_used))::BIGINT // 86400 AS first_day, epoch(max(r.last_used))::BIGINT // 86400 AS last_day
FROM witness AS w
JOIN request AS r ON r.id = w.id,
     LATERAL (VALUES ('resource', r.resource), ('branch', r.branch)) AS d (dimension, value)
GROUP BY ALL;
