-- question: which files had records counted as duplicates that may be lost when some files are read anew?
-- grain: one file.
-- inputs: log_file
-- parameters: ids (list of log_file.id: the files that are read anew)
SELECT DISTINCT f.uri
FROM log_file AS f
JOIN log_file AS g ON g.source = f.source AND f.first_time <= g.last_time AND g.first_time <= f.last_time
WHERE f.duplicate > 0 AND list_contains($ids, g.id) AND NOT list_contains($ids, f.id)
ORDER BY f.uri;
