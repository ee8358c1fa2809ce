-- question: which log files were read, in which order, and what became of their records?
-- grain: log file, in reading order.
-- inputs: log_file.
-- parameters: none.
-- Without read_at, the one column that differs between equal runs.
SELECT uri, format, source, size, digest, records, accepted, duplicate, rejected, not_use, first_time, last_time, problem
FROM log_file
ORDER BY id;
