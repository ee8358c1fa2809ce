-- question: how many records has CloudTrail delivered of each hour?
-- grain: account, region, hour with at least one record.
-- inputs: trail_shown.
-- parameters: $first (timestamp), $after.
SELECT account, region, hour, sum(records)::BIGINT AS records
FROM trail_shown
WHERE hour >= $first AND hour < $after
GROUP BY ALL
ORDER BY ALL;
