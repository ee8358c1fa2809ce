-- question: what did one batch of files bring, as the cluster hands it on?
-- grain: handed_event, one request of an accepted record; the other views as the tables of the same names.
-- inputs: the database of the batch; identity_text (spark_identity.sql); read_problem (path, message) and read_sum (path, unmapped):
--   what its reading reported; the variable base: the number before the batch's first file
-- parameters: none
-- A file's number counts the files of all batches, `identity` is a text ('' = none), and what only DuckDB can hash or measure is here
-- already: `id` of the record (spark_known.sql), `run` of the session as request.sql numbers them, and the time in microseconds.

CREATE TEMP MACRO numbered(number) AS getvariable('base')::BIGINT + number;

CREATE TEMP VIEW handed_event AS
SELECT e.* EXCLUDE (identity) REPLACE (numbered(e.file_id) AS file_id, e.part::INTEGER AS part),
       COALESCE(t.caller, '') AS identity,
       (event_key(e.source, e.native_id)::HUGEINT - 9223372036854775808)::BIGINT AS id,
       (hash(CASE WHEN e.session = '' THEN CAST(CAST(e.time AS DATE) AS VARCHAR) ELSE e.session END) % 4294967296)::BIGINT AS run,
       epoch_us(e.time) AS micros
FROM event AS e
LEFT JOIN identity_text AS t ON t.id = e.identity;

CREATE TEMP VIEW handed_log_file AS
SELECT f.* REPLACE (numbered(id) AS id), s.unmapped, m.value AS stamp
FROM log_file AS f JOIN read_sum AS s ON s.path = f.uri LEFT JOIN meta AS m ON m.key = 'stamp:' || f.uri;

CREATE TEMP VIEW handed_problem AS FROM read_problem;

CREATE TEMP VIEW handed_rejected AS FROM rejected SELECT * REPLACE (numbered(file_id) AS file_id);

CREATE TEMP VIEW handed_not_use AS FROM not_use SELECT * REPLACE (numbered(file_id) AS file_id);

CREATE TEMP VIEW handed_holed_day AS FROM holed_day SELECT * REPLACE (numbered(file_id) AS file_id);

CREATE TEMP VIEW handed_run AS FROM run SELECT * REPLACE (numbered(file_id) AS file_id);

CREATE TEMP VIEW handed_trail_shown AS FROM trail_shown SELECT * REPLACE (numbered(file_id) AS file_id);

CREATE TEMP VIEW handed_identity AS
SELECT i.* REPLACE (numbered(i.id) AS id), t.caller FROM identity AS i JOIN identity_text AS t USING (id);

CREATE TEMP VIEW handed_mcp_call AS
SELECT numbered(c.file_id) AS file_id, t.caller AS identity, c.request_id
FROM mcp_call AS c JOIN identity_text AS t ON t.id = c.identity;
