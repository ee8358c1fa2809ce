-- question: exactly which log files stand behind what is said?
-- grain: one row.
-- inputs: log_file.
-- parameters: none.

SELECT count(*) AS files, sha256(coalesce(string_agg(digest, chr(10) ORDER BY digest), '')) AS digest
FROM log_file;
