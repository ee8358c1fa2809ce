-- question: which records are new, and of which day is each?
-- grain: one native record.
-- inputs: event (spark_event.sql)
-- parameters: none
SELECT CAST(time AS DATE) AS day, id FROM event WHERE part = 0;
