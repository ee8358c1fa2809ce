-- question: for whom or what was each session started, by the lines that DuckDB has read by itself?
-- grain: file, agent, session, on_behalf_of (staged_run).
-- inputs: gw_told (file_id, sound, agent, session, on_behalf_of); asked only where some line says it at all
-- parameters: none
INSERT INTO staged_run
SELECT DISTINCT file_id, agent, session, on_behalf_of
FROM gw_told
WHERE sound AND on_behalf_of <> '' AND session <> '';
