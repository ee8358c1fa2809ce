-- question: which numbers have the callers of one share of the files?
-- grain: ct_numbered, one caller of the share: its number there (`id`, from 1 without gaps), and that of the database.
-- inputs: ct_caller (staged_identity of the share); identity, staged_identity
-- parameters: none

CREATE OR REPLACE TEMP VIEW ct_known AS
SELECT * EXCLUDE (id), id AS number FROM (FROM identity UNION ALL FROM staged_identity);

INSERT INTO staged_identity
SELECT (SELECT COALESCE(max(number), 0) FROM ct_known) + row_number() OVER (ORDER BY c.id), c.* EXCLUDE (id)
FROM ct_caller AS c
ANTI JOIN ct_known
    USING (source_identity, sign_in_session, agentcore_runtime, jwt_sub, jwt_client, role, session_name, access_key);

CREATE OR REPLACE TEMP TABLE ct_numbered AS
SELECT c.id, k.number
FROM ct_caller AS c
JOIN ct_known AS k
    USING (source_identity, sign_in_session, agentcore_runtime, jwt_sub, jwt_client, role, session_name, access_key);

DROP VIEW ct_known;
