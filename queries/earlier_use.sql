-- question: on which days before the window did the agent use what it did not use in it?
-- grain: rule, action, day (counted from 0001-01-01 = 1).
-- inputs: own_event; unexercised (rule, service, action, resource_like, branch_like), made from the policy: one row for
--         each box of a grant without use in the window. LIKE with \ as escape is the grammar of policy patterns.
-- parameters: $agent, $first (the window's first moment).
-- What a use hides of itself it may have been: then the action alone decides.
SELECT DISTINCT u.rule, u.action, CAST(e.time AS DATE) - DATE '0001-01-01' + 1 AS day
FROM own_event($agent, TIMESTAMP '0001-01-01', $first) AS e
JOIN unexercised AS u ON u.service = e.service AND u.action = e.action
 AND (u.resource_like = '%' OR e.partial LIKE '%resource%' OR e.resource LIKE u.resource_like ESCAPE '\')
 AND (u.branch_like = '%' OR e.partial LIKE '%branch%' OR e.branch LIKE u.branch_like ESCAPE '\')
WHERE e.mapped AND e.outcome IN ('used', 'used_unlogged', 'approved')
ORDER BY ALL;
