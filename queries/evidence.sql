-- question: what is the evidence for each granted (rule, action)?
-- grain: rule and action.
-- inputs: usage; request; owner (request id -> rule: the narrowest rule that the use belongs to).
-- parameters: none.
SELECT o.rule, u.action,
       sum(u.uses)::BIGINT AS uses,
       coalesce(sum(u.uses) FILTER (u.outcome = 'approved'), 0)::BIGINT AS approved_uses,
       coalesce(sum(u.uses) FILTER (u.outcome = 'used_unlogged'), 0)::BIGINT AS unlogged_uses,
       coalesce(sum(u.uses) FILTER (u.indirect), 0)::BIGINT AS indirect_uses,
       min(u.first_used) AS first_used, max(u.last_used) AS last_used, count(DISTINCT u.day) AS days_active,
       min(u.sample_low) AS sample_low, max(u.sample_high) AS sample_high
FROM usage u
JOIN request r ON r.service = u.service AND r.action = u.action AND r.resource = u.resource AND r.branch = u.branch
 AND r.partial = u.partial AND r.kind = CASE WHEN u.outcome = 'approved' THEN 'approved' ELSE 'exercised' END
JOIN owner o ON o.id = r.id
WHERE u.mapped AND u.outcome IN ('used', 'used_unlogged', 'approved')
GROUP BY o.rule, u.action;
