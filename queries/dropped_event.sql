-- question: of which day is a native event that was dropped?
-- grain: source and day.
-- inputs: pruned_event; log_file (for the sources that there are).
-- parameters: $id.
SELECT s.source, p.day
FROM (SELECT DISTINCT source FROM log_file) AS s
JOIN pruned_event AS p ON p.id = event_key(s.source, $id)
ORDER BY ALL;
