-- question: none; what stage_gateway_read.sql and stage_gateway_parse.sql have in common; gw_failed(code) comes from services/outcomes.py.
-- grain: none
-- inputs: none
-- parameters: none
-- DuckDB's JSON reader turns 5 into '5' and ["x"] into '["x"]', so a text that could have come about like that is looked
-- at again by json_type (gw_odd, gw_mistyped).

-- (the first character decides for nearly all: 58 follows 9; 91 and 123 are [ and {)
CREATE OR REPLACE TEMP MACRO gw_odd(x) AS
    CASE WHEN ascii(x) BETWEEN 92 AND 122 THEN strlen(x) < 6 AND x IN ('true', 'false', 'nan', 'inf')
         WHEN ascii(x) < 58 THEN regexp_full_match(x, '-?([0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?|[Ii]nf.*)')
         ELSE ascii(x) IN (91, 123) OR x IN ('NaN', 'Infinity') END;

-- (nearly every time is written as the first case has it; what follows sees the others only)
CREATE OR REPLACE TEMP MACRO gw_time(x) AS
    CASE WHEN regexp_full_match(x, '[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z')
             THEN TRY_CAST(x AS TIMESTAMP)
         WHEN regexp_full_match(
             x, '[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})')
             THEN CASE WHEN x ILIKE '%z' THEN TRY_CAST(upper(x) AS TIMESTAMP)
                       -- a plain TIMESTAMP would ignore the zone
                       ELSE make_timestamp(epoch_us(TRY_CAST(upper(x) AS TIMESTAMPTZ))) END
    END;

-- The first field that is there, is not null and is no text: 'agent is a number', else NULL.
CREATE OR REPLACE TEMP MACRO gw_mistyped(line) AS
    list_filter(
        list_transform(
            list_zip(
                ['id', 'time', 'agent', 'session', 'on_behalf_of', 'credential', 'service', 'action', 'resource',
                 'branch', 'decision', 'outcome', 'error_code', 'request_id', 'policy_rev'],
                json_type(line, [
                    '$.id', '$.time', '$.agent', '$.session', '$.on_behalf_of', '$.credential', '$.service', '$.action',
                    '$.resource', '$.branch', '$.decision', '$.outcome', '$.error_code', '$.request_id', '$.policy_rev'])),
            lambda f: CASE
                WHEN f[2] IS NULL OR f[2] IN ('VARCHAR', 'NULL') THEN NULL
                WHEN f[2] = 'OBJECT' THEN f[1] || ' is an object, not text'
                WHEN f[2] = 'ARRAY' THEN f[1] || ' is a list, not text'
                WHEN f[2] = 'BOOLEAN' THEN f[1] || ' is true or false, not text'
                ELSE f[1] || ' is a number, not text' END),
        lambda r: r IS NOT NULL)[1];

-- What one line says about use (policy-semantics, section 4). `failed` is the class of its error code, NULL without one.
-- (the first case is that of nearly all lines; what follows sees the others only)
CREATE OR REPLACE TEMP MACRO gw_outcome(outcome, decision, enforced, state, failed) AS
    CASE
        WHEN outcome = 'success' AND decision = 'allow' AND enforced THEN 'used'
        WHEN outcome = 'denied' OR (decision = 'deny' AND enforced) THEN 'refused'
        WHEN decision = 'require_approval' AND enforced AND state IN ('refused', 'timed_out') THEN 'refused'
        WHEN decision = 'require_approval' AND enforced AND COALESCE(state, 'pending') = 'pending' THEN 'no_evidence'
        WHEN outcome = 'not_run' THEN 'no_evidence'
        WHEN outcome = 'error' AND failed <> 'used' THEN failed
        WHEN outcome IS NULL AND NOT enforced THEN 'no_evidence'
        WHEN decision = 'require_approval' THEN 'approved'
        WHEN decision = 'deny' THEN 'used_ungranted'
        WHEN outcome IS NULL THEN 'used_unlogged'
        ELSE 'used'
    END;

CREATE OR REPLACE TEMP MACRO gw_result(outcome, error_code) AS
    COALESCE(outcome, CASE WHEN error_code <> '' THEN 'error' END);

CREATE OR REPLACE TEMP MACRO gw_branch(branch) AS
    CASE WHEN starts_with(branch, 'refs/heads/') THEN branch[12:] ELSE COALESCE(branch, '') END;

-- A push whose line does not say where to: the branch is partial.
CREATE OR REPLACE TEMP MACRO gw_blind_push(service, action, branch) AS
    COALESCE(branch, '') = '' AND service = 'git' AND action = 'push';
