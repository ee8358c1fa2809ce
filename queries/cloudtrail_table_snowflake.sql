-- question: none; CloudTrail's files as a table for Snowflake: each file is one object with a list of records.
-- grain: one record of CloudTrail's, with the fields that the query reads.
-- inputs: the files in a stage: put its name in
-- parameters: none
CREATE TABLE cloudtrail_files (file VARIANT);

COPY INTO cloudtrail_files FROM @STAGE FILE_FORMAT = (TYPE = JSON);

CREATE VIEW cloudtrail_logs AS
SELECT r.value:userIdentity AS userIdentity, r.value:eventTime::VARCHAR AS eventTime, r.value:eventSource::VARCHAR AS eventSource,
       r.value:eventName::VARCHAR AS eventName, r.value:errorCode::VARCHAR AS errorCode, r.value:eventID::VARCHAR AS eventID,
       r.value:eventType::VARCHAR AS eventType, r.value:eventCategory::VARCHAR AS eventCategory
FROM cloudtrail_files, LATERAL FLATTEN(INPUT => file:Records) AS r;
