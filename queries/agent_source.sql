-- question: which gateways have ever logged this agent?
-- grain: source.
-- inputs: event.
-- parameters: $agent.
SELECT DISTINCT source FROM event WHERE agent = $agent ORDER BY source;
