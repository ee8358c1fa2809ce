-- question: how many lines of each file has DuckDB read, and which of them have to be read again as text?
-- grain: one file: its number in the call, the place of its first line, lines, plain lines, numbers of the doubtful ones.
-- inputs: staged_line
-- parameters: none
WITH file AS (SELECT file_index, min(rowid) AS first_row FROM staged_line GROUP BY file_index)
SELECT file_index, first_row, count(*), count(*) FILTER (plain),
       COALESCE(list(l.rowid - first_row + 1 ORDER BY l.rowid) FILTER (doubtful), [])
FROM staged_line AS l JOIN file USING (file_index)
GROUP BY ALL ORDER BY ALL;
