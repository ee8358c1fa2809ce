-- question: none; the temporary tables between one batch of log files and the database.
-- grain: staged, one request of one native record (the columns of event); staged_rejected, one native record that could
--   not be read (`day`: the day that it is of, where that much is known); staged_not_use, file and reason; staged_file, one file.
-- inputs: event (for its columns)
-- parameters: none

CREATE OR REPLACE TEMP TABLE staged AS FROM event LIMIT 0;

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
