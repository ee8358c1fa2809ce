-- question: which rules matched a use that belongs to a narrower rule?
-- grain: wider rule and action; the narrower rule that owns most of that use (ties: first in the document).
-- inputs: request; matched; candidate; owner.
-- parameters: none.
-- (uses that matched the same rules are added up first: there are few such sets)
WITH shared AS (
    SELECT m.rules, r.action, o.rule AS narrow, sum(r.uses) AS uses
    FROM matched AS m JOIN owner AS o ON o.id = m.id JOIN request AS r ON r.id = m.id
    WHERE len(m.rules) > 1 AND r.kind <> 'no_evidence'
    GROUP BY ALL
),
wider AS (
    SELECT c.rule AS wide, s.action, s.narrow, sum(s.uses) AS uses
    FROM shared AS s JOIN candidate AS c ON list_contains(s.rules, c.id)
    WHERE c.rule <> s.narrow AND c.effect <> 'deny'
    GROUP BY ALL
)
SELECT wide, action, arg_max(narrow, (uses, -narrow)) AS narrow FROM wider GROUP BY wide, action ORDER BY ALL;
