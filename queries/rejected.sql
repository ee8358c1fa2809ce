-- question: which records could not be read, and why?
-- grain: file and reason; `position` is the first one.
-- inputs: rejected; log_file.
-- parameters: none.
SELECT f.uri, r.reason, count(*) AS records, min(r.position) AS position
FROM rejected r JOIN log_file f ON f.id = r.file_id
GROUP BY ALL
ORDER BY records DESC, f.uri, r.reason;
