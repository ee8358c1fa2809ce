-- question: which services has each gateway logged, and which AWS actions has CloudTrail shown, since when?
-- grain: source, service, action.
-- inputs: event (all agents: what a source can show does not depend on who is looked at).
-- parameters: $after (first moment behind the window).
SELECT source, service, action, min(CAST(time AS DATE)) AS since
FROM event
WHERE time < $after AND mapped
GROUP BY ALL
ORDER BY ALL;
