-- question: which requests say nothing either way, and to which rules might they matter?
-- grain: action, the set of boxes that match (candidate ids), the rule that they belong to (-1: none).
-- inputs: request; matched; owner.
-- parameters: none.
SELECT r.action, m.rules, coalesce(o.rule, -1) AS rule, sum(r.uses)::BIGINT AS uses
FROM request r
JOIN matched m ON m.id = r.id
LEFT JOIN owner o ON o.id = r.id
WHERE r.kind = 'no_evidence'
GROUP BY ALL
ORDER BY ALL;
