-- question: what stands for an identity in every database: its eight texts, as usage.sql has them?
-- grain: identity.
-- inputs: identity.
-- parameters: none.
CREATE OR REPLACE TEMP VIEW identity_text AS
SELECT id, to_json([source_identity, sign_in_session, agentcore_runtime, jwt_sub, jwt_client, role, session_name, access_key])::VARCHAR
           AS caller
FROM identity;
