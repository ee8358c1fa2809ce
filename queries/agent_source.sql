-- question: which gateways have ever logged this agent?
-- grain: source.
-- inputs: logged.
-- parameters: $agent.
SELECT DISTINCT source FROM logged WHERE agent = $agent ORDER BY source;
