-- question: none; CloudTrail's files as a table for BigQuery, copied to Cloud Storage: each file is one object with a list of records.
-- grain: one record of CloudTrail's, with the fields that the query reads.
-- inputs: the files: put your bucket and prefix in
-- parameters: none
CREATE EXTERNAL TABLE cloudtrail_files (
    Records ARRAY<STRUCT<
        userIdentity STRUCT<type STRING, arn STRING, sessionContext STRUCT<sessionIssuer STRUCT<arn STRING>>>,
        eventTime STRING, eventSource STRING, eventName STRING, errorCode STRING, eventID STRING, eventType STRING,
        eventCategory STRING>>
)
OPTIONS (format = 'NEWLINE_DELIMITED_JSON', uris = ['gs://BUCKET/PREFIX/AWSLogs/*'], ignore_unknown_values = TRUE);

CREATE VIEW cloudtrail_logs AS
SELECT r.* FROM cloudtrail_files, UNNEST(Records) AS r;
