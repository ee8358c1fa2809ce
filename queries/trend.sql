-- question: what did earlier runs find about the agents of these policy files?
-- grain: a day up to which the logs went and an agent.
-- inputs: finding.
-- parameters: $policies (list of file names), $days (the window that was asked for), $until (the last day).
SELECT day, policy, agent, granted, exercised, unused, unobservable, cannot_tell, excepted, score, proposed_score, weight,
    suggestions, state
FROM finding
WHERE list_contains($policies, policy) AND days = $days AND day <= $until
ORDER BY day, policy, agent;
