-- question: which AWS actions did each caller use on each day, as far as a table of CloudTrail's records tells by itself?
-- grain: day, caller (the role or user), service, action, outcome.
-- inputs: cloudtrail_logs (a table of your own: cloudtrail_table_*.sql); facts of services/data, as the relations aws_label (label,
--   prefix) and aws_event (prefix, event, action) and the function error_outcome (of an error code).
-- parameters: none
-- `tightener sql usage --dialect NAME` prints it for another engine, with the facts written in. What it cannot do, and what
-- `tightener ingest` does:
--   * It knows no resources and no branches: which parameter of a call names what is used is another rule for every operation.
--     Nothing can be narrowed by it.
--   * An action is the operation's own name, or that of aws_event. What an operation needs besides (iam:PassRole, a second
--     resource) or with some parameters only (s3:GetObjectVersion) is missing, and so is what a refusal says was refused.
--   * Names that no IAM action has are not told from those that one has.
--   * A caller is a role or user. Which agent it is (by session, source identity, token) and calls that a service made on
--     somebody's behalf are not worked out; copies for other accounts and corrections of a record count as calls.
--   * It says nothing of days on which the log has holes, so that "not in the result" is not "not used".
WITH record AS (
    SELECT eventID AS native_id, eventTime AS moment, COALESCE(errorCode, '') AS error_code,
           REGEXP_REPLACE(LOWER(eventSource), '[.]amazonaws[.]com([.]cn)?$', '') AS label,
           REGEXP_REPLACE(eventName, '_?20[0-9][0-9]_?[0-9][0-9]_?[0-9][0-9](v[0-9]+)?$', '') AS plain_name,
           COALESCE(userIdentity.type, '') AS caller_type,
           CASE WHEN userIdentity.type = 'AWSService' THEN ''
                WHEN userIdentity.type = 'AssumedRole'
                    THEN COALESCE(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn, '')
                ELSE COALESCE(userIdentity.arn, '') END AS caller,
           COALESCE(userIdentity.arn, '') AS session_arn
    FROM cloudtrail_logs
    WHERE eventTime IS NOT NULL AND eventSource IS NOT NULL AND eventName IS NOT NULL
      AND COALESCE(eventType, 'AwsApiCall') = 'AwsApiCall'
      AND COALESCE(eventCategory, 'Management') IN ('Management', 'Data')
      AND (userIdentity.type IS NOT NULL OR userIdentity.arn IS NOT NULL)
),
named AS (
    SELECT c.*, COALESCE(l.prefix, REGEXP_REPLACE(c.label, '[.].*$', '')) AS prefix
    FROM record AS c
    LEFT JOIN aws_label AS l ON l.label = c.label
),
event AS (
    SELECT n.native_id, n.moment, n.caller, n.session_arn,
           COALESCE(a.action, n.prefix || ':' || n.plain_name) AS action,
           CASE WHEN n.caller_type = 'AWSService' OR n.caller LIKE 'arn:%:role/aws-service-role/%' THEN 'by_service'
                WHEN n.error_code = '' THEN 'used'
                ELSE error_outcome(n.error_code) END AS outcome
    FROM named AS n
    LEFT JOIN aws_event AS a ON a.prefix = n.prefix AND a.event = n.plain_name
),
daily AS (
    SELECT CAST(SUBSTRING(moment, 1, 10) AS DATE) AS day, caller, action, outcome, native_id, session_arn, moment
    FROM event
)
SELECT day, 'cloudtrail' AS source, caller, 'aws' AS service, action, '*' AS resource, 'resource' AS partial, outcome,
       COUNT(DISTINCT native_id) AS uses, COUNT(DISTINCT session_arn) AS sessions,
       MIN(moment) AS first_used, MAX(moment) AS last_used, MIN(native_id) AS sample_low, MAX(native_id) AS sample_high
FROM daily
GROUP BY day, caller, action, outcome
ORDER BY day, caller, action, outcome;
