-- question: none; the table that AWS documents for CloudTrail's files in Athena. Leave it out where you have it.
-- grain: one record of CloudTrail's.
-- inputs: the files in S3: put your bucket, prefix and account in
-- parameters: none
CREATE EXTERNAL TABLE cloudtrail_logs (
    eventVersion STRING,
    userIdentity STRUCT<
        type: STRING, principalId: STRING, arn: STRING, accountId: STRING, invokedBy: STRING, accessKeyId: STRING, userName: STRING,
        onBehalfOf: STRUCT<userId: STRING, identityStoreArn: STRING>,
        sessionContext: STRUCT<
            attributes: STRUCT<mfaAuthenticated: STRING, creationDate: STRING>,
            sessionIssuer: STRUCT<type: STRING, principalId: STRING, arn: STRING, accountId: STRING, userName: STRING>,
            ec2RoleDelivery: STRING,
            webIdFederationData: STRUCT<federatedProvider: STRING, attributes: MAP<STRING, STRING>>>>,
    eventTime STRING, eventSource STRING, eventName STRING, awsRegion STRING, sourceIPAddress STRING, userAgent STRING,
    errorCode STRING, errorMessage STRING, requestParameters STRING, responseElements STRING, additionalEventData STRING,
    requestId STRING, eventId STRING, readOnly STRING,
    resources ARRAY<STRUCT<arn: STRING, accountId: STRING, type: STRING>>,
    eventType STRING, apiVersion STRING, recipientAccountId STRING, serviceEventDetails STRING, sharedEventId STRING,
    vpcEndpointId STRING, vpcEndpointAccountId STRING, eventCategory STRING
)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION 's3://BUCKET/PREFIX/AWSLogs/ACCOUNT/CloudTrail/';
