-- question: which records do these texts hold?
-- grain: one native record. `chunk` and `idx` count inside the file, from 0 and 1; `position` is known only on the exact
--   path. '' = absent, unless the column says otherwise.
-- inputs: ct_event_type (event_type, reason); ct_text (file_id, chunk, position, native_id, doc),
--   doc being JSON records with commas between them.
-- parameters: none

SELECT
    file_id, chunk, idx, position, COALESCE(native_id, NULLIF(r.eventID, '')) AS native_id,
    CASE WHEN r.eventTime LIKE '____-__-__T__:__:__%Z' THEN TRY_CAST(r.eventTime AS TIMESTAMP) END AS time,
    COALESCE(r.eventSource, '') AS event_source, COALESCE(r.eventName, '') AS event_name,
    CASE
        WHEN r.eventTime IS NULL THEN 'eventTime is missing'
        WHEN time IS NULL THEN 'eventTime is no time in UTC'
        WHEN COALESCE(r.eventSource, '') = '' THEN 'eventSource is missing'
        WHEN COALESCE(r.eventName, '') = '' THEN 'eventName is missing'
        WHEN COALESCE(r.eventType, 'AwsApiCall') = 'AwsApiCall'
            -- a userIdentity that is no object comes out as an object of NULLs
            AND COALESCE(r.userIdentity.type, r.userIdentity.arn, r.userIdentity.accountId, r.userIdentity.invokedBy) IS NULL
            THEN 'userIdentity is missing'
    END AS reject,                        -- NULL: readable
    CASE
        WHEN t.reason IS NOT NULL THEN t.reason
        -- Copies for an endpoint's owner, statistics and aggregates (several calls in one record) are not calls.
        WHEN r.eventCategory NOT IN ('Management', 'Data') THEN 'event category ' || r.eventCategory
        -- Records before version 1.02 have no eventType; they are API calls.
        WHEN COALESCE(r.eventType, 'AwsApiCall') <> 'AwsApiCall' THEN 'event type ' || r.eventType
        WHEN r.userIdentity.type IS NULL AND r.userIdentity.invokedBy IS NOT NULL THEN 'service event'
    END AS idle,                          -- NULL: a use of some permission
    COALESCE(r.awsRegion, '') AS region, COALESCE(r.recipientAccountId, r.userIdentity.accountId, '') AS account,
    COALESCE(r.errorCode, '') AS error_code, COALESCE(r.requestID, '') AS request_id,
    COALESCE(r.userIdentity.type = 'AWSService'
             OR r.userIdentity.sessionContext.sessionIssuer.arn LIKE 'arn:%:role/aws-service-role/%', false) AS by_service,
    r.userIdentity.invokedBy IS NOT NULL AND r.userIdentity.type IS DISTINCT FROM 'AWSService' AS indirect,
    CASE
        WHEN r.userIdentity.type = 'AWSService' THEN ''
        WHEN r.userIdentity.type = 'AssumedRole'
            THEN COALESCE(r.userIdentity.sessionContext.sessionIssuer.arn, r.userIdentity.arn, '')
        ELSE COALESCE(r.userIdentity.arn, '')
    END AS principal,
    CASE WHEN r.userIdentity.arn LIKE '%:assumed-role/%' THEN split_part(r.userIdentity.arn, '/', -1) ELSE '' END AS session,
    CASE WHEN r.resources IS NOT NULL THEN
        list_filter(list_transform(r.resources, lambda x: {
            'arn': COALESCE(x.ARN, x.ARNPrefix || '*'), 'partial': x.ARN IS NULL
        }), lambda x: x.arn IS NOT NULL)
    END AS arns,
    r.requestParameters AS params,
    CASE WHEN r.eventCategory IS NOT NULL THEN r.eventCategory = 'Data' ELSE r.managementEvent = 'false' END
        AS data,                           -- a data event; NULL: the record does not say
    lower(r.readOnly) = 'true' AS read_only, -- NULL: the record does not say
    COALESCE(r.sharedEventID, '') AS shared_id, COALESCE(r.addendum.originalEventID, '') AS corrects,
    -- delivered to another account than the caller's
    COALESCE(r.recipientAccountId <> r.userIdentity.accountId, false) AS elsewhere,
    CASE WHEN r.errorMessage IS NOT NULL THEN ct_refusal(r.errorMessage, COALESCE(r.userIdentity.arn, '')) END
        AS refusal,                        -- what the error says of a refusal
    COALESCE(r.eventType, '') AS event_type,
    COALESCE(r.userIdentity.sessionContext.sourceIdentity, '') AS source_identity,
    COALESCE(r.userIdentity.sessionContext.signInSessionArn, r.additionalEventData.signInSessionArn, '')
        AS sign_in_session,
    COALESCE(r.additionalEventData.jwt.claims.sub, '') AS jwt_sub,
    COALESCE(r.additionalEventData.jwt.claims.client_id, '') AS jwt_client,
    COALESCE(r.userIdentity.accessKeyId, '') AS access_key,
    CASE WHEN r.additionalEventData.downstreamRequests IS NOT NULL
        THEN list_transform(r.additionalEventData.downstreamRequests, lambda x: x.requestId) END
        AS downstream                      -- ids of the requests that a tool call made
FROM (
    -- A text that is not JSON leaves one record of NULLs, which sends its file the exact way (no native_id).
    SELECT file_id, chunk, position, native_id, unnest(records) AS r, generate_subscripts(records, 1) AS idx
    FROM (
        SELECT file_id, chunk, position, native_id, COALESCE(TRY(json_transform('[' || doc || ']', '[{
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
