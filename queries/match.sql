-- question: which rules' boxes match each distinct request of the agent?
-- grain: one request id; `rules` is the sorted list of candidate ids.
-- inputs: request; candidate (id, service, action, resource_like, branch_like, rule, effect), made from the policy: one row for each
--         box whose action pattern matches that logged action. LIKE with \ as escape is the grammar of policy patterns.
-- parameters: none.
CREATE OR REPLACE TEMP TABLE matched AS
SELECT r.id, list(c.id ORDER BY c.id) AS rules
FROM request r
JOIN candidate c ON c.service = r.service AND c.action = r.action
 AND (c.resource_like = '%' OR r.resource LIKE c.resource_like ESCAPE '\')
 AND (c.branch_like = '%' OR r.branch LIKE c.branch_like ESCAPE '\')
WHERE r.kind IN ('exercised', 'approved', 'ungranted', 'no_evidence') AND r.partial = ''
GROUP BY r.id;
