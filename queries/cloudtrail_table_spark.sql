-- question: none; CloudTrail's files as a view for Spark: each file is one object with a list of records.
-- grain: one record of CloudTrail's, with the fields that the query reads.
-- inputs: the files: put your bucket, prefix and account in
-- parameters: none
CREATE TABLE cloudtrail_files (
    Records ARRAY<STRUCT<
        userIdentity: STRUCT<type: STRING, arn: STRING, sessionContext: STRUCT<sessionIssuer: STRUCT<arn: STRING>>>,
        eventTime: STRING, eventSource: STRING, eventName: STRING, errorCode: STRING, eventID: STRING, eventType: STRING,
        eventCategory: STRING>>
)
USING JSON
OPTIONS ('path' = 's3://BUCKET/PREFIX/AWSLogs/ACCOUNT/CloudTrail/', 'recursiveFileLookup' = 'true');

CREATE VIEW cloudtrail_logs AS
SELECT r.* FROM (SELECT EXPLODE(Records) AS r FROM cloudtrail_files) AS files;
