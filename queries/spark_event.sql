-- question: which requests of the cluster's batches count, and who made each?
-- grain: one request of one record, without the copies: the columns that usage.sql reads.
-- inputs: ranked (spark_copy.sql); told_call (identity, request_id): mcp_call of all batches and of the database, by callers' texts
-- parameters: none
-- Whose a request is that a tool call made, is told as in the view event_caller (schema.sql).
SELECT r.*, COALESCE(m.identity, r.identity) AS caller, '' AS counted_for
FROM ranked AS r
LEFT JOIN (
    SELECT request_id, CASE WHEN COUNT(DISTINCT identity) = 1 THEN MIN(identity) ELSE '' END AS identity
    FROM told_call WHERE request_id <> '' GROUP BY request_id
) AS m ON m.request_id = r.request_id AND r.source = 'cloudtrail' AND r.outcome <> 'by_service'
WHERE r.copy = 1 AND r.about IS NULL;
