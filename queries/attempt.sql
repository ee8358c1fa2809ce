-- question: which requests of one kind are worth a reader's eye (refused; used but not granted)?
-- grain: distinct request, most frequent first.
-- inputs: request; stray (exercised requests that no rule grants; shown with kind `ungranted`).
-- parameters: $kind, $most (rows).
SELECT r.service, r.action, r.resource, r.branch, r.uses, r.first_used, r.last_used
FROM request r
WHERE r.kind = $kind OR ($kind = 'ungranted' AND r.id IN (SELECT id FROM stray))
ORDER BY r.uses DESC, r.service, r.action, r.resource, r.branch
LIMIT $most;
