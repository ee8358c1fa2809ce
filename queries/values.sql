-- question: on which resources and branches was each granted (rule, action) used, and on how many days?
-- grain: rule, action, resource, branch. Requests without evidence either way count too: they may be needed.
-- inputs: usage; request; owner.
-- parameters: none.
SELECT o.rule, r.action, r.resource, r.branch, sum(r.days)::BIGINT AS days,
       CAST(min(r.first_used) AS DATE) AS first_day, CAST(max(r.last_used) AS DATE) AS last_day
FROM request r JOIN owner o ON o.id = r.id
GROUP BY ALL
ORDER BY o.rule, r.action, r.resource, r.branch;
