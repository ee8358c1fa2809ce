-- question: what does the usage file of each day hold?
-- grain: as usage.sql.
-- inputs: usage_rows: rows of usage.sql with identity.id for the caller; identity
-- parameters: none.
-- In one order, and without a number that another database might have given otherwise: equal events give equal bytes.
CREATE OR REPLACE TEMP TABLE usage_file AS
SELECT u.* REPLACE (
    CASE WHEN i.id IS NULL THEN '' ELSE to_json([
        i.source_identity, i.sign_in_session, i.agentcore_runtime, i.jwt_sub, i.jwt_client, i.role, i.session_name,
        i.access_key])::VARCHAR END AS caller)
FROM usage_rows AS u LEFT JOIN identity AS i ON i.id = u.caller
ORDER BY day, source, agent, service, action, resource, branch, caller, counted_for, partial, outcome, decision, indirect,
         suspicious, mapped;
