-- question: which requests may the parsed records make, whatever their resources are?
-- grain: one request of one record: one row of ct_map (ct_request); `request` numbers them.
-- inputs: ct_ready, ct_named (stage_cloudtrail_first.sql); ct_map (stage_cloudtrail_resource.sql); ct_error (code, outcome)
-- parameters: most (no event has so many rows in ct_map)

-- Every request that a record may make, one row of ct_map each, without its resources. A `when` is read only where the
-- text holds its key at all: that is much quicker than parsing, and the text has no escapes (json_transform wrote it).
SELECT r.record * $most + m.nr AS request, r.record, r.file_id, r.position, r.native_id, r.time, r.identity, r.principal, r.session, r.request_id, r.indirect,
       r.params, r.arns, r.region, r.account, m.map, m.nr, m.of, m.action, m.mapped, m.pick, m.typed,
       -- A call that needs no permission says nothing about any grant: neither its use nor its disuse.
       CASE WHEN r.by_service THEN 'by_service' WHEN NOT m.needs_permission THEN 'no_evidence'
            WHEN d.action IS NOT NULL THEN 'refused' ELSE COALESCE(e.outcome, 'used') END AS outcome
FROM ct_ready AS r
JOIN ct_map AS m USING (event_source, event_name)
LEFT JOIN ct_error AS e ON e.code = r.error_code
LEFT JOIN ct_named AS d USING (record)
WHERE r.reject IS NULL AND r.idle IS NULL AND m.problem IS NULL
  AND (d.action IS NULL OR (d.arn = '' AND d.action = m.action))
  AND (m.when_path = '' OR m.when_wanted = COALESCE(
        CASE WHEN m.when_path <> '' AND contains(r.params, m.when_key)
             THEN contains(json_extract_string(r.params, m.when_path), m.when_text) END, false));

