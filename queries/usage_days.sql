-- question: of how many events is each day whose usage file is out of date?
-- grain: day.
-- inputs: stale_day; logged
-- parameters: none.
SELECT s.day, count(l.source) AS rows
FROM (SELECT DISTINCT day FROM stale_day) AS s
LEFT JOIN (
    SELECT source, CAST(time AS DATE) AS day FROM logged
    WHERE time >= (SELECT min(day) FROM stale_day) AND time < (SELECT max(day) + 1 FROM stale_day)
) AS l USING (day)
GROUP BY s.day ORDER BY s.day;
