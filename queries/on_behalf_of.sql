-- question: for whom or what was an agent started in the window, by the gateway's own words?
-- grain: on_behalf_of.
-- inputs: own_event; run.
-- parameters: $agent, $first (timestamp), $after (first moment behind the window).
SELECT DISTINCT on_behalf_of
FROM run
WHERE agent = $agent AND session IN (SELECT session FROM own_event($agent, $first, $after))
ORDER BY on_behalf_of;
