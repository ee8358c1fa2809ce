-- question: of which buckets has CloudTrail shown anything, since when? A bucket lies in one region, and its ARN has none.
-- grain: bucket.
-- inputs: logged.
-- parameters: $after (first moment behind the window).
SELECT split_part(split_part(resource, ':::', 2), '/', 1) AS bucket, min(CAST(time AS DATE)) AS since
FROM logged
WHERE source = 'cloudtrail' AND time < $after AND mapped AND starts_with(action, 's3:')
  AND regexp_matches(resource, '^arn:aws[a-z-]*:s3:::[^*?]')
GROUP BY bucket
ORDER BY bucket;
