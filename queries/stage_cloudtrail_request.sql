-- question: which requests may the parsed records make, and which of them say plainly what their resource is?
-- grain: one request of one record: one row of ct_map (ct_request); `request` numbers them. `plain`: it is the only request of
--   its record, on one resource, which is here; what the others are on is sought (stage_cloudtrail_resource.sql).
-- inputs: ct_ready, ct_named, ct_call (stage_cloudtrail_first.sql); ct_error (code, outcome)
-- parameters: most (no event has so many rows in ct_map)

WITH
-- Every request that a record may make, one row of ct_map each. A `when` is read only where the text holds its key at all:
-- that is much quicker than parsing, and the text has no escapes (json_transform wrote it). So are the keys of its rivals.
asked AS (
    SELECT r.record * $most + m.nr AS request, r.record, r.file_id, r.position, r.native_id, r.time, r.identity, r.principal,
           r.session, r.request_id, r.indirect, r.params, r.arns, m.*,
           -- A call that needs no permission says nothing about any grant: neither its use nor its disuse.
           CASE WHEN r.by_service THEN 'by_service' WHEN NOT m.needs_permission THEN 'no_evidence'
                WHEN d.action IS NOT NULL THEN 'refused' ELSE COALESCE(e.outcome, 'used') END AS outcome
    FROM ct_ready AS r
    JOIN ct_call AS m USING (event_source, event_name, region, account)
    LEFT JOIN ct_error AS e ON e.code = r.error_code
    LEFT JOIN ct_named AS d USING (record)
    WHERE r.reject IS NULL AND r.idle IS NULL AND m.problem IS NULL
      AND (d.action IS NULL OR (d.arn = '' AND d.action = m.action))
      AND (m.when_path = '' OR m.when_wanted = COALESCE(
            CASE WHEN m.when_path <> '' AND contains(r.params, m.when_key)
                 THEN contains(json_extract_string(r.params, m.when_path), m.when_text) END, false))
),
-- What says more than one thing is not plain: several ARNs, an ARN of another kind or among the parameters (unless it is
-- the one that the way leads to).
listed AS (
    SELECT * REPLACE (
               plain AND (len(rivals) = 0 OR len(list_filter(rivals, lambda key: contains(params, key))) = 0) AS plain),
           CASE WHEN contains(params, '"arn:aws') THEN (length(params) - length(replace(params, '"arn:aws', ''))) // 8 ELSE 0 END
               AS named,
           CASE WHEN plain AND typed AND len(arns) > 0
                THEN list_filter(arns, lambda a: a.arn GLOB fit AND NOT a.arn GLOB unfit) END AS own,
           CASE WHEN plain AND typed AND NOT single AND len(arns) > 0
                THEN list_filter(arns, lambda a: a.arn GLOB other_fit AND NOT a.arn GLOB other_unfit) END AS other
    FROM asked
),
sought AS (
    SELECT * REPLACE (plain AND (NOT typed OR single OR (named = 0 AND COALESCE(len(other), 0) = 0)) AS plain),
           plain AND typed AND (goes_first OR (named <= (cut1 = 'arn')::INTEGER AND COALESCE(len(own), 0) = 0)) AS by_way
    FROM listed
),
valued AS (
    SELECT *, CASE WHEN by_way THEN json_extract_string(params, NULLIF(path1, '')) END AS v1,
           CASE WHEN by_way THEN json_extract_string(params, NULLIF(path2, '')) END AS v2
    FROM sought
),
filled AS (
    SELECT *, CASE WHEN by_way THEN NULLIF(ct_filled(text0, path1, v1, cut1, text1, path2, v2, cut2, text2), '') END AS arn
    FROM valued
),
told AS (
    SELECT *,
           CASE WHEN NOT plain THEN NULL
                WHEN NOT typed THEN {'arn': CASE WHEN mapped THEN '' ELSE '*' END, 'partial': NOT mapped}
                WHEN arn LIKE 'arn:aws%' OR (arn IS NOT NULL AND (goes_first OR named = 0)) THEN {'arn': arn, 'partial': pattern}
                WHEN len(own) = 1 THEN own[1] END AS found
    FROM filled
)
SELECT request, record, file_id, position, 0::USMALLINT AS part, native_id, time, identity, principal, session, request_id,
       indirect, action, mapped, outcome, found IS NOT NULL AS plain, found.arn AS resource, found.partial AS vague,
       CASE WHEN found IS NULL THEN params END AS params, CASE WHEN found IS NULL THEN arns END AS arns,
       region, account, map, nr, of, pick, typed
FROM told;
