-- question: which legitimate requests came in the period that a backtest scores on?
-- grain: service, action, kind (exercised, approved), partial; ids, resources, branches and numbers of uses as lists side
--   by side.
-- inputs: request.
-- parameters: none.
SELECT service, action, kind, partial, list(id), list(resource), list(branch), list(uses)::BIGINT[]
FROM (SELECT * FROM request WHERE kind IN ('exercised', 'approved') ORDER BY id)
GROUP BY service, action, kind, partial
ORDER BY service, action, kind, partial;
