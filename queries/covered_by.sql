-- question: which rules matched a use that belongs to a narrower rule?
-- grain: wider rule and action; the narrower rule that owns most of that use (ties: first in the document).
-- inputs: request; matched; candidate; owner.
-- parameters: none.
SELECT wide, action, arg_max(narrow, (uses, -narrow)) AS narrow
FROM (
    SELECT c.rule AS wide, r.action, o.rule AS narrow, sum(r.uses) AS uses
    FROM matched m
    JOIN owner o ON o.id = m.id
    JOIN request r ON r.id = m.id
    JOIN candidate c ON list_contains(m.rules, c.id)
    WHERE c.rule <> o.rule AND c.effect <> 'deny' AND r.kind <> 'no_evidence'
    GROUP BY ALL
)
GROUP BY wide, action
ORDER BY ALL;
