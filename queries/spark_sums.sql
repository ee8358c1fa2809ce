-- question: what became of the records of each file that a cluster has read?
-- grain: file, in the order of reading.
-- inputs: log_file; taken_file (spark_take.sql); handed_log_file; copied
-- parameters: none
SELECT f.uri, f.format, f.source, f.records, f.accepted, f.duplicate, f.rejected, f.not_use,
       h.unmapped - COALESCE(c.unmapped, 0) AS unmapped, f.problem
FROM taken_file AS t
JOIN log_file AS f ON f.id = t.file_id
JOIN handed_log_file AS h ON h.id = t.number
LEFT JOIN copied AS c ON c.file_id = t.number
ORDER BY f.id;
