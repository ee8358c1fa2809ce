-- question: none; removes everything that was read from some files, before they are read again.
-- grain: one file.
-- inputs: all tables that name a file
-- parameters: ids (list of log_file.id)
INSERT INTO stale_day SELECT DISTINCT CAST(time AS DATE) FROM event WHERE list_contains($ids, file_id);
DELETE FROM event WHERE list_contains($ids, file_id);
DELETE FROM rejected WHERE list_contains($ids, file_id);
DELETE FROM not_use WHERE list_contains($ids, file_id);
DELETE FROM holed_day WHERE list_contains($ids, file_id);
DELETE FROM trail_record WHERE list_contains($ids, file_id);
DELETE FROM trail_shown WHERE list_contains($ids, file_id);
DELETE FROM run WHERE list_contains($ids, file_id);
DELETE FROM mcp_call WHERE list_contains($ids, file_id);
DELETE FROM log_file WHERE list_contains($ids, id);
