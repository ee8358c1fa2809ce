-- question: which services has each source logged, and which actions of theirs?
-- grain: source, service, action.
-- inputs: logged (all agents: what a source can show does not depend on who is looked at).
-- parameters: $after (first moment behind the window).
SELECT DISTINCT source, service, action
FROM logged
WHERE time < $after AND mapped
ORDER BY ALL;
