-- question: which distinct requests did the agent exercise in the window, so that they can be put to the authoriser again?
-- grain: service, action, resource, branch, partial. Reads the rolled-up usage and nothing that the tightening made.
-- inputs: usage.
-- parameters: none.
SELECT service, action, resource, branch, partial, sum(uses)::BIGINT AS uses
FROM usage
WHERE mapped AND outcome IN ('used', 'used_unlogged', 'approved')
GROUP BY service, action, resource, branch, partial
ORDER BY service, action, resource, branch, partial;
