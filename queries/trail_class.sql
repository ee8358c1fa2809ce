-- question: which classes of events has CloudTrail shown of each account and region, since when?
-- grain: account, region, class, direction, container ('' = no data event, or one that names several or none).
-- inputs: trail_shown (all callers: what a trail records does not depend on who is looked at).
-- parameters: $after (first moment behind the window).
SELECT account, region, class, read_only, container, min(CAST(hour AS DATE)) AS since
FROM trail_shown
WHERE hour < $after
GROUP BY ALL
ORDER BY ALL;
