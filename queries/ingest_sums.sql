-- question: what became of each file's records?
-- grain: one file of the batch.
-- inputs: staged_file, staged_request, staged_duplicate, staged_rejected, staged_not_use (after ingest_finish)
-- parameters: latest (what is dated after it was rejected)
WITH seen AS (
    SELECT file_id, count(*) FILTER (part = 0) AS records, min(time) AS first_time, max(time) AS last_time
    FROM staged_request WHERE time <= $latest GROUP BY file_id
),
twice AS (SELECT file_id, count(*) AS records FROM staged_duplicate GROUP BY file_id),
bad AS (SELECT file_id, count(*) AS records FROM staged_rejected GROUP BY file_id),
idle AS (SELECT file_id, sum(records)::BIGINT AS records FROM staged_not_use GROUP BY file_id),
unclear AS (
    SELECT s.file_id, count(DISTINCT s.position) AS records
    FROM staged_request AS s ANTI JOIN staged_duplicate AS d USING (file_id, position)
    WHERE NOT s.mapped AND s.time <= $latest GROUP BY s.file_id
)
SELECT f.file_id, f.records, COALESCE(s.records, 0) - COALESCE(t.records, 0) AS accepted,
       COALESCE(t.records, 0) AS duplicate, COALESCE(b.records, 0) AS rejected, COALESCE(i.records, 0) AS not_use,
       COALESCE(u.records, 0) AS unmapped, s.first_time, s.last_time, f.problem
FROM staged_file AS f
LEFT JOIN seen AS s USING (file_id)
LEFT JOIN twice AS t USING (file_id)
LEFT JOIN bad AS b USING (file_id)
LEFT JOIN idle AS i USING (file_id)
LEFT JOIN unclear AS u USING (file_id)
ORDER BY f.file_id;
