-- question: what is the evidence for each granted (rule, action)?
-- grain: rule and action.
-- inputs: own_event; request; owner (request id -> rule: the narrowest rule that the use
--         belongs to).
-- parameters: $agent, $first (timestamp), $after (first moment behind the window).
-- (materialised: joined the other way round, all events would first be joined to all requests)
WITH owned AS MATERIALIZED (
    SELECT r.*, o.rule FROM request r JOIN owner o ON o.id = r.id WHERE r.kind <> 'no_evidence'
)
SELECT r.rule, e.action,
       sum(e.uses)::BIGINT AS uses,
       coalesce(sum(e.uses) FILTER (e.outcome = 'approved'), 0)::BIGINT AS approved_uses,
       coalesce(sum(e.uses) FILTER (e.outcome = 'used_unlogged'), 0)::BIGINT AS unlogged_uses,
       coalesce(sum(e.uses) FILTER (e.indirect), 0)::BIGINT AS indirect_uses,
       min(e.time) AS first_used, max(e.last_time) AS last_used, count(DISTINCT CAST(e.time AS DATE)) AS days_active,
       count(DISTINCT e.session) FILTER (e.session <> '') AS sessions,
       min(e.native_id) AS sample_low, max(e.last_id) AS sample_high
FROM own_event($agent, $first, $after) AS e
JOIN owned r ON r.service = e.service AND r.action = e.action AND r.resource = e.resource AND r.branch = e.branch
 AND r.partial = e.partial AND r.kind = CASE WHEN e.outcome = 'approved' THEN 'approved' ELSE 'exercised' END
WHERE e.mapped AND e.outcome IN ('used', 'used_unlogged', 'approved')
GROUP BY r.rule, e.action;
