-- question: none; CloudTrail's files as a table for Trino (Hive connector): each file is one object with a list of records.
-- grain: one record of CloudTrail's, with the fields that the query reads.
-- inputs: the files: put your bucket, prefix and account in; hive.recursive-directories has to be true
-- parameters: none
CREATE TABLE cloudtrail_files (
    Records ARRAY(ROW(
        userIdentity ROW(type VARCHAR, arn VARCHAR, sessionContext ROW(sessionIssuer ROW(arn VARCHAR))),
        eventTime VARCHAR, eventSource VARCHAR, eventName VARCHAR, errorCode VARCHAR, eventID VARCHAR, eventType VARCHAR,
        eventCategory VARCHAR))
)
WITH (format = 'JSON', external_location = 's3://BUCKET/PREFIX/AWSLogs/ACCOUNT/CloudTrail/');

CREATE VIEW cloudtrail_logs AS
SELECT r.userIdentity, r.eventTime, r.eventSource, r.eventName, r.errorCode, r.eventID, r.eventType, r.eventCategory
FROM cloudtrail_files
CROSS JOIN UNNEST(Records) AS r(userIdentity, eventTime, eventSource, eventName, errorCode, eventID, eventType, eventCategory);
