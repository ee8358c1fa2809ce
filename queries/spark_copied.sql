-- question: how many records of each file are known already, from another file or from before?
-- grain: file.
-- inputs: ranked (spark_copy.sql)
-- parameters: none
SELECT file_id, COUNT(CASE WHEN part = 0 THEN 1 END) AS records, COUNT(DISTINCT CASE WHEN NOT mapped THEN position END) AS unmapped
FROM ranked
WHERE copy > 1
GROUP BY file_id;
