-- question: which distinct requests did the agent exercise in the window, so that they can be put to the authoriser again?
-- grain: service, action, partial, with the resources and branches as two lists side by side, in no order. Reads the rolled-up usage and nothing that the tightening made.
-- inputs: usage.
-- parameters: none.
SELECT service, action, partial, list(resource), list(branch), sum(uses)::BIGINT AS uses
FROM (
    SELECT service, action, partial, resource, branch, sum(uses) AS uses
    FROM usage
    WHERE mapped AND outcome IN ('used', 'used_unlogged', 'approved')
    GROUP BY ALL
)
GROUP BY service, action, partial
ORDER BY service, action, partial;
