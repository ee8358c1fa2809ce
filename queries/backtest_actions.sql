-- question: which actions did the agent exercise between two moments?
-- grain: service, action.
-- inputs: own_event.
-- parameters: $agent, $first (timestamp), $after.
SELECT DISTINCT service, action FROM own_event($agent, $first, $after)
WHERE mapped AND outcome IN ('used', 'used_unlogged', 'approved')
ORDER BY ALL;
