-- question: which distinct requests use the grants whose use a person may want to be asked about?
-- grain: rule and request id; the days are counted from 1970; the session is as in values.sql, one_session as in request.sql.
-- inputs: request; owner; touched (partial requests -> every rule that they may have used); risky_grant (rule, action),
--         made in Python from the classes of risk.csv.
-- parameters: none.
WITH witness AS (SELECT id, rule FROM owner UNION ALL SELECT id, rule FROM touched) -- no request is in both
SELECT g.rule, g.action, r.id, r.resource, r.branch, r.uses, r.kind <> 'no_evidence' AS exercised,
       epoch(r.first_used)::BIGINT // 86400 AS first_day, epoch(r.last_used)::BIGINT // 86400 AS last_day, r.partial,
       CASE WHEN r.kind IN ('exercised', 'approved') AND r.partial = '' THEN r.opened % 4294967296 ELSE -1 END AS session, r.days,
       r.one_session
FROM risky_grant g
JOIN witness w ON w.rule = g.rule
JOIN request r ON r.id = w.id AND r.action = g.action
ORDER BY ALL;
