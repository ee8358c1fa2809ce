-- question: which requests were exercised while a backtest learnt, and to which rule does each belong?
-- grain: rule, service, action, resource, branch.
-- inputs: request; owner.
-- parameters: none.
SELECT DISTINCT o.rule, r.service, r.action, r.resource, r.branch
FROM owner AS o JOIN request AS r ON r.id = o.id
WHERE r.kind IN ('exercised', 'approved')
ORDER BY ALL;
