-- question: which distinct requests did the agent exercise in the window, so that they can be put to the authoriser again?
-- grain: service, action, partial, with the resources and branches as two lists side by side, in no order. Reads what was
--         collected from the logs, and nothing that the tightening made.
-- inputs: request.
-- parameters: none.
SELECT service, action, partial, list(resource), list(branch), sum(uses)::BIGINT AS uses
FROM (
    SELECT service, action, partial, resource, branch, sum(uses) AS uses
    FROM request
    WHERE kind IN ('exercised', 'approved')
    GROUP BY ALL
)
GROUP BY service, action, partial
ORDER BY service, action, partial;
