-- question: what could not be read in S3, and why?
-- grain: prefix that was not listed to its end; reason, for objects: the first of them, and how many are like it.
-- inputs: unread.
-- parameters: none.
SELECT min(uri) AS uri,
       min(reason) || CASE WHEN count(*) > 1 THEN format(', and {:,} more objects like it', count(*) - 1) ELSE '' END AS reason
FROM unread
GROUP BY unread.reason, CASE WHEN listing THEN unread.uri ELSE '' END
ORDER BY ALL;
