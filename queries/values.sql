-- question: on which resources and branches was each granted (rule, action) used, and on how many days?
-- grain: rule, action, resource, branch.
-- inputs: request; owner; matched; candidate. A request without evidence either way counts for every rule that could have
--         let it through: it may be needed, so no narrowing may leave it out.
-- parameters: none.
WITH witness AS (
    SELECT id, rule FROM owner
    UNION
    SELECT m.id, c.rule
    FROM matched m
    JOIN request r ON r.id = m.id AND r.kind = 'no_evidence'
    JOIN candidate c ON list_contains(m.rules, c.id) AND c.effect <> 'deny'
)
SELECT w.rule, r.action, r.resource, r.branch, sum(r.days)::BIGINT AS days,
       CAST(min(r.first_used) AS DATE) AS first_day, CAST(max(r.last_used) AS DATE) AS last_day
FROM witness w JOIN request r ON r.id = w.id
GROUP BY ALL
ORDER BY w.rule, r.action, r.resource, r.branch;
