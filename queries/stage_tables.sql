-- question: none; the temporary tables between one batch of log files and the database.
-- grain: staged, one request of one native record (the columns of event); staged_line, one line of a gateway log, in
--   the order of the files; staged_request, both as one; staged_rejected, one native record that could not be read (`day`:
--   the day that it is of, where that much is known); staged_not_use, file and reason; staged_file, one file.
-- inputs: event, trail_record, trail_shown (for their columns)
-- parameters: none

CREATE OR REPLACE TEMP TABLE staged AS FROM event LIMIT 0;

-- Nearly every line of a gateway's log is exactly one request: such a line is parsed into this table and goes from here
-- into `event`, without a copy in between. Its place in the file is its place in the table.
CREATE OR REPLACE TEMP TABLE staged_line (
    file_index UBIGINT,
    doubtful   BOOLEAN,                       -- to be read again as text (stage_gateway_read.sql)
    plain      BOOLEAN,                       -- one request; `class` and `branch` are what event holds
    moment     TIMESTAMP,
    id VARCHAR, agent VARCHAR, session VARCHAR, service VARCHAR, action VARCHAR, resource VARCHAR, resources JSON,
    branch VARCHAR, args JSON, decision VARCHAR, approval JSON, outcome VARCHAR, error_code VARCHAR,
    request_id VARCHAR, v JSON, enforced JSON,
    class      VARCHAR
);

CREATE OR REPLACE TEMP TABLE staged_line_file (file_index UBIGINT, file_id INTEGER, first_row BIGINT, source VARCHAR);

CREATE OR REPLACE TEMP VIEW staged_request AS
FROM staged
UNION ALL
SELECT f.file_id, l.rowid - f.first_row + 1, 0::USMALLINT, f.source, l.id, l.moment, l.agent, '', COALESCE(l.session, ''),
       l.service, l.action, COALESCE(l.resource, ''), l.branch, '', l.class, l.decision, NULL, COALESCE(l.request_id, ''),
       false, false, true
FROM staged_line AS l JOIN staged_line_file AS f USING (file_index)
WHERE l.plain;

CREATE OR REPLACE TEMP TABLE staged_rejected (
    file_id INTEGER NOT NULL, position BIGINT NOT NULL, reason VARCHAR NOT NULL, day DATE
);

CREATE OR REPLACE TEMP TABLE staged_not_use (
    file_id INTEGER NOT NULL, reason VARCHAR NOT NULL, records BIGINT NOT NULL
);

CREATE OR REPLACE TEMP TABLE staged_file (
    file_id INTEGER NOT NULL,
    records BIGINT NOT NULL,                  -- native records seen
    problem VARCHAR NOT NULL DEFAULT ''       -- why it was not read to its end; '' = it was
);

-- Of CloudTrail's records only (the columns of the tables of the same names).
CREATE OR REPLACE TEMP TABLE staged_trail_record AS FROM trail_record LIMIT 0;

CREATE OR REPLACE TEMP TABLE staged_trail_shown AS FROM trail_shown LIMIT 0;
