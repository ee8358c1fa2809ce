-- question: what has been read, source by source, and does the sum hold?
-- grain: source.
-- inputs: log_file; logged (unmapped records).
-- parameters: none.
SELECT f.source, count(*) AS files, sum(f.records)::BIGINT AS records, sum(f.accepted)::BIGINT AS accepted,
       sum(f.duplicate)::BIGINT AS duplicate, sum(f.rejected)::BIGINT AS rejected, sum(f.not_use)::BIGINT AS not_use,
       coalesce(max(u.unmapped), 0)::BIGINT AS unmapped, min(f.first_time) AS first_time, max(f.last_time) AS last_time,
       count(*) FILTER (f.problem <> '') AS files_with_problems
FROM log_file f
LEFT JOIN (
    SELECT source, count(DISTINCT (file_id, position)) FILTER (file_id IS NOT NULL)
           + coalesce(sum(uses) FILTER (file_id IS NULL), 0) AS unmapped
    FROM logged WHERE NOT mapped GROUP BY source
) u ON u.source = f.source
GROUP BY f.source
ORDER BY f.source;
