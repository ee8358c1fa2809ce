-- question: what did the agent ask a person for, who said no or did not answer?
-- grain: distinct request.
-- inputs: own_event.
-- parameters: $agent, $first (timestamp), $after (first moment behind the window).
SELECT service, action, resource, branch, sum(uses)::BIGINT AS times
FROM own_event($agent, $first, $after)
WHERE decision = 'require_approval' AND outcome = 'refused' AND mapped
GROUP BY ALL
ORDER BY ALL;
