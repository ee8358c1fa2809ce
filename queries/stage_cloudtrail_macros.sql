-- question: none; the macros that turning CloudTrail's records into requests needs.
-- grain: none.
-- inputs: the variable ct_cut (services/observe.py, container_cut)
-- parameters: none

-- What one logged parameter contributes to an ARN; NULL where it does not serve. `how` is the cut of arn_template.csv: a
-- word with a meaning of its own, or the beginning that the value has to have (`i-`) or must not have (`!aws.`).
CREATE OR REPLACE TEMP MACRO ct_value(v, how) AS
    CASE
        WHEN v IS NULL OR v = '' OR v = 'HIDDEN_DUE_TO_SECURITY_REASONS' THEN NULL
        WHEN how = '' THEN CASE WHEN v NOT LIKE 'arn:%' THEN v END
        WHEN how = 'arn' THEN CASE WHEN v LIKE 'arn:%' THEN v END
        WHEN how = 'copy' THEN url_decode(ltrim(split_part(v, '?versionId=', 1), '/'))
        WHEN v LIKE 'arn:%' THEN NULL
        WHEN how = 'queue' THEN NULLIF(replace(regexp_extract(v, '([0-9]+/[^/?]+)$', 1), '/', ':'), '')
        WHEN how = 'key' THEN NULLIF(regexp_extract(v, '^(?:mrk-[0-9a-f]+|[0-9a-f]+(?:-[0-9a-f]+)+)$', 0), '')
        WHEN how = 'slash' THEN ltrim(v, '/')
        WHEN how = 'function' THEN regexp_replace(v, '^[0-9]+:function:', '')
        WHEN how = 'lower' THEN lower(v)
        WHEN how = 'after' THEN NULLIF(split_part(v, ':', 2), '')
        WHEN how = 'last' THEN split_part(v, '/', -1)
        -- An inference profile has a geography before the vendor and the model: us.anthropic.claude-...
        WHEN how = 'model' THEN CASE WHEN NOT regexp_matches(v, '^[a-z-]+\.[a-z0-9]+\.[a-z]') THEN v END
        WHEN how = 'profile' THEN CASE WHEN regexp_matches(v, '^[a-z-]+\.[a-z0-9]+\.[a-z]') THEN v END
        WHEN starts_with(how, '!') THEN CASE WHEN NOT starts_with(v, how[2:]) THEN v END
        WHEN starts_with(v, how) THEN v
    END;

-- The text before a template's first parameter, and whether it says less than it might.
CREATE OR REPLACE TEMP MACRO ct_scoped_text(text0, partition, region, owner) AS
    replace(replace(replace(text0, '{partition}', partition), '{region}', region), '{account}', owner);

CREATE OR REPLACE TEMP MACRO ct_unscoped(text0, owner) AS owner = '*' AND contains(text0, '{account}');

-- A template of at most two parameters, with their values; NULL or '' where it does not serve.
CREATE OR REPLACE TEMP MACRO ct_filled(text0, path1, v1, cut1, text1, path2, v2, cut2, text2) AS
    text0 || CASE WHEN path1 = '' THEN '' ELSE ct_value(v1, cut1) END
    || text1 || CASE WHEN path2 = '' THEN '' ELSE ct_value(v2, cut2) END || text2;

-- The tables that a DynamoDB call of several items or a PartiQL statement names; [] where it has none of that kind.
CREATE OR REPLACE TEMP MACRO ct_table_names(params, pick) AS
    CASE
        WHEN pick = 'dynamodb-request-items' THEN json_keys(params, '$.requestItems')
        WHEN pick = 'dynamodb-transact-get' THEN json_extract_string(params, '$.transactItems[*].get.tableName')
        WHEN pick = 'dynamodb-transact-put' THEN json_extract_string(params, '$.transactItems[*].put.tableName')
        WHEN pick = 'dynamodb-transact-update' THEN json_extract_string(params, '$.transactItems[*].update.tableName')
        WHEN pick = 'dynamodb-transact-delete' THEN json_extract_string(params, '$.transactItems[*].delete.tableName')
        WHEN pick = 'dynamodb-transact-conditionCheck'
            THEN json_extract_string(params, '$.transactItems[*].conditionCheck.tableName')
        WHEN pick LIKE 'dynamodb-partiql-%' THEN list_transform(
            list_filter(
                list_concat([json_extract_string(params, '$.statement')],
                            json_extract_string(params, '$.statements[*].statement'),
                            json_extract_string(params, '$.transactStatements[*].statement')),
                lambda s: regexp_matches(s, '^\s*' || split_part(pick, '-', 3) || '\b', 'i')),
            lambda s: replace(
                regexp_extract(s, '(?i)\b(?:from|into|update)\s+((?:"[^"]+"|[\w.-]+)(?:\."[^"]+")?)', 1), '"."', '/index/'))
    END;

CREATE OR REPLACE TEMP MACRO ct_tables(params, pick, partition, region, account) AS
    list_sort(list_distinct(list_transform(
        list_filter(ct_table_names(params, pick), lambda n: n IS NOT NULL),
        lambda n: CASE
            WHEN n = '' THEN {'arn': '*', 'partial': true}
            WHEN n LIKE 'arn:%' THEN {'arn': n, 'partial': false}
            ELSE {'arn': concat('arn:', partition, ':dynamodb:', region, ':', account, ':table/', replace(n, '"', '')),
                  'partial': account = '*'}
        END)));

-- What a resource of a data event lies in (services/observe.py, container); '' for a pattern that may lie in several.
CREATE OR REPLACE TEMP MACRO ct_container(resource) AS
    COALESCE(NULLIF(regexp_extract(resource, getvariable('ct_cut'), 1), ''),
             CASE WHEN contains(resource, '*') OR contains(resource, '?') THEN '' ELSE resource END);
