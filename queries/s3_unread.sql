-- question: which objects below an address could not be read when they were tried?
-- grain: object; `changed`: an earlier content of it was read.
-- inputs: unread; meta.
-- parameters: $root (s3://BUCKET/PREFIX), $since (what is of earlier days is not asked for).
SELECT u.uri, m.key IS NOT NULL AS changed
FROM unread AS u
LEFT JOIN meta AS m ON m.key = 'stamp:' || u.uri
WHERE NOT u.listing AND starts_with(u.uri, $root) AND u.last_day >= $since
ORDER BY u.uri;
