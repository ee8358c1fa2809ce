-- question: which records do these texts hold?
-- grain: one native record (ct_record).
-- inputs: ct_event_type (event_type, reason); ct_text (file_id, chunk, position, native_id, doc),
--   doc being a JSON array of records.
-- parameters: none

INSERT INTO ct_record
SELECT
    file_id, chunk, idx, position, COALESCE(native_id, NULLIF(r.eventID, '')),
    CASE WHEN r.eventTime LIKE '____-__-__T__:__:__%Z' THEN TRY_CAST(r.eventTime AS TIMESTAMP) END AS moment,
    COALESCE(r.eventSource, ''), COALESCE(r.eventName, ''),
    CASE
        WHEN r.eventTime IS NULL THEN 'eventTime is missing'
        WHEN moment IS NULL THEN 'eventTime is no time in UTC'
        WHEN COALESCE(r.eventSource, '') = '' THEN 'eventSource is missing'
        WHEN COALESCE(r.eventName, '') = '' THEN 'eventName is missing'
        WHEN COALESCE(r.eventType, 'AwsApiCall') = 'AwsApiCall'
            -- a userIdentity that is no object comes out as an object of NULLs
            AND COALESCE(r.userIdentity.type, r.userIdentity.arn, r.userIdentity.accountId, r.userIdentity.invokedBy) IS NULL
            THEN 'userIdentity is missing'
    END,
    CASE
        WHEN t.reason IS NOT NULL THEN t.reason
        -- Copies for an endpoint's owner, statistics and aggregates (several calls in one record) are not calls.
        WHEN r.eventCategory NOT IN ('Management', 'Data') THEN 'event category ' || r.eventCategory
        -- Records before version 1.02 have no eventType; they are API calls.
        WHEN COALESCE(r.eventType, 'AwsApiCall') <> 'AwsApiCall' THEN 'event type ' || r.eventType
        WHEN r.userIdentity.type IS NULL AND r.userIdentity.invokedBy IS NOT NULL THEN 'service event'
    END,
    COALESCE(r.awsRegion, ''), COALESCE(r.recipientAccountId, r.userIdentity.accountId, ''),
    COALESCE(r.errorCode, ''), COALESCE(r.requestID, ''),
    COALESCE(r.userIdentity.type = 'AWSService'
             OR r.userIdentity.sessionContext.sessionIssuer.arn LIKE 'arn:%:role/aws-service-role/%', false),
    r.userIdentity.invokedBy IS NOT NULL AND r.userIdentity.type IS DISTINCT FROM 'AWSService',
    CASE
        WHEN r.userIdentity.type = 'AWSService' THEN ''
        WHEN r.userIdentity.type = 'AssumedRole'
            THEN COALESCE(r.userIdentity.sessionContext.sessionIssuer.arn, r.userIdentity.arn, '')
        ELSE COALESCE(r.userIdentity.arn, '')
    END,
    CASE WHEN r.userIdentity.arn LIKE '%:assumed-role/%' THEN split_part(r.userIdentity.arn, '/', -1) ELSE '' END,
    CASE WHEN r.resources IS NOT NULL THEN
        list_filter(list_transform(r.resources, lambda x: {
            'arn': COALESCE(x.ARN, x.ARNPrefix || '*'), 'partial': x.ARN IS NULL
        }), lambda x: x.arn IS NOT NULL)
    END,
    r.requestParameters,
    CASE WHEN r.eventCategory IS NOT NULL THEN r.eventCategory = 'Data' ELSE r.managementEvent = 'false' END,
    lower(r.readOnly) = 'true',
    COALESCE(r.sharedEventID, ''), COALESCE(r.addendum.originalEventID, ''),
    COALESCE(r.recipientAccountId <> r.userIdentity.accountId, false),
    CASE WHEN r.errorMessage IS NOT NULL THEN ct_refusal(r.errorMessage, COALESCE(r.userIdentity.arn, '')) END,
    COALESCE(r.eventType, ''),
    COALESCE(r.userIdentity.sessionContext.sourceIdentity, ''),
    COALESCE(r.userIdentity.sessionContext.signInSessionArn, r.additionalEventData.signInSessionArn, ''),
    COALESCE(r.additionalEventData.jwt.claims.sub, ''), COALESCE(r.additionalEventData.jwt.claims.client_id, ''),
    COALESCE(r.userIdentity.accessKeyId, ''),
    CASE WHEN r.additionalEventData.downstreamRequests IS NOT NULL
        THEN list_transform(r.additionalEventData.downstreamRequests, lambda x: x.requestId) END
FROM (
    -- A text that is not JSON leaves one record of NULLs, which sends its file the exact way (no native_id).
    SELECT file_id, chunk, position, native_id, unnest(records) AS r, generate_subscripts(records, 1) AS idx
    FROM (
        SELECT file_id, chunk, position, native_id, COALESCE(TRY(json_transform(doc, '[{
            "eventTime": "VARCHAR", "eventSource": "VARCHAR", "eventName": "VARCHAR", "eventType": "VARCHAR",
            "awsRegion": "VARCHAR", "recipientAccountId": "VARCHAR", "errorCode": "VARCHAR",
            "eventID": "VARCHAR", "requestID": "VARCHAR", "sharedEventID": "VARCHAR", "errorMessage": "VARCHAR",
            "eventCategory": "VARCHAR", "managementEvent": "VARCHAR", "readOnly": "VARCHAR",
            "addendum": {"originalEventID": "VARCHAR"},
            "userIdentity": {"type": "VARCHAR", "arn": "VARCHAR", "accountId": "VARCHAR", "invokedBy": "VARCHAR",
                             "accessKeyId": "VARCHAR",
                             "sessionContext": {"sessionIssuer": {"arn": "VARCHAR"}, "sourceIdentity": "VARCHAR",
                                                "signInSessionArn": "VARCHAR"}},
            "additionalEventData": {"signInSessionArn": "VARCHAR", "downstreamRequests": [{"requestId": "VARCHAR"}],
                                    "jwt": {"claims": {"sub": "VARCHAR", "client_id": "VARCHAR"}}},
            "resources": [{"ARN": "VARCHAR", "ARNPrefix": "VARCHAR"}],
            "requestParameters": "JSON"}]')), [NULL]) AS records
        FROM ct_text
    )
) AS p
LEFT JOIN ct_event_type AS t ON t.event_type = p.r.eventType;
