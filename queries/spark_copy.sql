-- question: which events of separately read batches are the first of their record, in the order of reading?
-- grain: one request of one record of one batch; `copy` is 1 for all requests of the first record of an id that is new.
-- inputs: handed (spark_handover.sql, of all batches); known (spark_known.sql)
-- parameters: none
-- Written for DuckDB and translated for Spark, as usage.sql is.
SELECT h.*,
       CASE WHEN k.id IS NULL THEN 0 ELSE 1 END + RANK() OVER (PARTITION BY h.source, h.native_id ORDER BY h.file_id, h.position) AS copy
FROM handed AS h
LEFT JOIN (SELECT DISTINCT id FROM known) AS k ON k.id = h.id;
