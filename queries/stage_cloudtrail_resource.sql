-- question: what are the resources of the requests?
-- grain: one resource of one request (ct_resource), a request of several (ct_several); one request on one of its
--   resources (ct_row).
-- inputs: ct_request (stage_cloudtrail_request.sql); ct_map (map, event_source, event_name, nr, of, conditional, action,
--   mapped, problem, needs_permission, when_path, when_key, when_text, when_wanted, pick, typed, prefix, data_class,
--   management_class, reads); ct_shape (map, kind, fit, unfit, needed, enough); ct_template (map, kind, rank, many, each,
--   text0, path1, cut1, text1, ..., text4, pattern); ct_partition (region, partition)
-- parameters: none

-- The templates with everything filled in that does not come from the parameters, as in ct_call.
CREATE OR REPLACE TEMP TABLE ct_scoped AS
SELECT t.* EXCLUDE (text0), s.region, s.account, t.pattern OR ct_unscoped(t.text0, s.owner) AS partial,
       ct_scoped_text(t.text0, s.partition, s.region, s.owner) AS text0
FROM ct_template AS t JOIN ct_call AS s USING (map);

-- Everything that may be a resource of a request, with its kind (one of the action's ARN formats) and a rank: templates
-- meant to go first, resources[], ARNs among the parameters, the other templates.
CREATE OR REPLACE TEMP TABLE ct_candidate AS
WITH
listed AS (
    SELECT q.request, q.map, q.pick, a, ordinal
    FROM (SELECT request, map, pick, unnest(arns) AS a, generate_subscripts(arns, 1) AS ordinal
          FROM ct_sought WHERE typed AND len(arns) > 0) AS q
),
named AS (
    SELECT request, map, unnest(regexp_extract_all(CAST(params AS VARCHAR), '"(arn:aws[^"\\]*)"', 1)) AS arn
    FROM ct_sought WHERE typed AND contains(params, '"arn:aws') AND NOT starts_with(pick, 'dynamodb-')
),
short AS (
    SELECT q.request, q.map, t.kind, t.rank, t.partial, t.text0, t.text1, t.text2, t.cut1, t.cut2, t.path1, t.path2,
           CASE WHEN t.path1 = '@principal' THEN q.principal ELSE json_extract_string(q.params, NULLIF(t.path1, '')) END AS v1,
           json_extract_string(q.params, NULLIF(t.path2, '')) AS v2
    FROM ct_sought AS q
    JOIN ct_scoped AS t USING (map, region, account)
    WHERE t.path3 = '' AND t.many = ''
),
long AS (
    SELECT q.request, q.map, t.kind, t.rank, t.partial, t.text0, t.text1, t.text2, t.text3, t.text4, t.path4,
           t.cut1, t.cut2, t.cut3, t.cut4,
           json_extract_string(q.params, t.path1) AS v1, json_extract_string(q.params, t.path2) AS v2,
           json_extract_string(q.params, t.path3) AS v3, json_extract_string(q.params, NULLIF(t.path4, '')) AS v4
    FROM ct_sought AS q
    JOIN ct_scoped AS t USING (map, region, account)
    WHERE t.path3 <> ''
),
-- A parameter that occurs in lists, at any depth: EC2's instancesSet.items[].instanceId.
many AS (
    SELECT q.request, q.map, t.kind, t.rank, t.partial, t.text0, t.text1, t.cut1,
           unnest(CASE WHEN t.each THEN regexp_extract_all(regexp_extract(CAST(q.params AS VARCHAR), t.many, 1), '"([^"\\]+)"', 1)
                  ELSE regexp_extract_all(CAST(q.params AS VARCHAR), t.many, 1) END) AS v1
    FROM ct_sought AS q
    JOIN ct_scoped AS t USING (map, region, account)
    WHERE t.many <> ''
),
tables AS (
    SELECT q.request, q.map, unnest(ct_tables(q.params, q.pick, s.partition, q.region, s.owner)) AS a
    FROM ct_sought AS q JOIN ct_call AS s USING (map, region, account)
    WHERE starts_with(q.pick, 'dynamodb-')
)
SELECT request, map, kind, rank, partial,
       ct_filled(text0, path1, v1, cut1, text1, path2, v2, cut2, text2) AS arn
FROM short WHERE arn <> ''
UNION ALL
SELECT request, map, kind, rank, partial,
       text0 || ct_value(v1, cut1) || text1 || ct_value(v2, cut2) || text2 || ct_value(v3, cut3) || text3
       || CASE WHEN path4 = '' THEN '' ELSE ct_value(v4, cut4) END || text4 AS arn
FROM long WHERE arn <> ''
UNION ALL
SELECT request, map, kind, rank, partial, text0 || ct_value(v1, cut1) || text1 AS arn FROM many WHERE arn <> ''
UNION ALL
-- Of two keys in resources[], ReEncrypt's source is the first and its destination the last.
SELECT l.request, l.map, s.kind,
       100 + CASE l.pick WHEN 'source-key' THEN ordinal WHEN 'destination-key' THEN 99 - ordinal ELSE 0 END,
       l.a.partial, l.a.arn
FROM listed AS l JOIN ct_shape AS s USING (map)
WHERE l.a.arn GLOB s.fit AND NOT l.a.arn GLOB s.unfit AND NOT starts_with(l.pick, 'dynamodb-')
UNION ALL
SELECT n.request, n.map, s.kind, 200, false, n.arn
FROM named AS n JOIN ct_shape AS s USING (map)
WHERE n.arn GLOB s.fit AND NOT n.arn GLOB s.unfit
UNION ALL
SELECT request, map, 0, 0, a.partial, a.arn FROM tables;

-- The best of each kind; and where a kind is found that stands for the whole call (`enough`: the index that a query
-- names, any one of several alternatives), only that.
CREATE OR REPLACE TEMP TABLE ct_found AS
WITH
best AS (
    SELECT c.request, c.map, c.kind, c.arn, c.partial, s.map IS NOT NULL AS enough
    FROM (SELECT * FROM ct_candidate QUALIFY rank = min(rank) OVER (PARTITION BY request, kind)) AS c
    LEFT JOIN (SELECT map, kind FROM ct_shape WHERE enough) AS s USING (map, kind)
)
SELECT * FROM best WHERE enough OR request NOT IN (SELECT request FROM best WHERE enough);

DROP TABLE ct_candidate;

CREATE OR REPLACE TEMP TABLE ct_several AS SELECT request FROM ct_found GROUP BY request HAVING count(*) > 1;

-- A kind of resource that the action needs and of which nothing was found is partial: some resource of that kind was
-- used. `unread`: a kind that the parameters would name, if there were any.
CREATE OR REPLACE TEMP TABLE ct_resource AS
SELECT request, arn, partial FROM ct_found ANTI JOIN ct_several USING (request)
UNION ALL
SELECT DISTINCT request, arn, partial FROM ct_found SEMI JOIN ct_several USING (request)
UNION ALL
SELECT q.request, s.fit, true
FROM ct_sought AS q
JOIN (SELECT * FROM ct_shape WHERE needed <> '') AS s USING (map)
JOIN (SELECT request, list(kind) AS kinds, bool_or(enough) AS enough FROM ct_found GROUP BY request) AS f
  ON f.request = q.request
WHERE (s.needed = 'always' OR q.params IS NULL) AND NOT f.enough AND NOT list_contains(f.kinds, s.kind);

INSERT INTO ct_several SELECT request FROM ct_resource GROUP BY request HAVING count(*) > 1;

-- Each request on each of its resources. An action with resource types whose resource is not found is partial, never
-- silently absent. Only records of which there may be several requests have to have them numbered.
CREATE OR REPLACE TEMP VIEW ct_row AS
SELECT q.* EXCLUDE (params, arns, part, plain, resource, vague), s.request IS NULL AND m.record IS NULL AS alone,
       CASE WHEN r.request IS NOT NULL THEN r.arn WHEN q.typed OR NOT q.mapped THEN '*' ELSE '' END AS resource,
       CASE WHEN r.request IS NOT NULL THEN r.partial ELSE q.typed OR NOT q.mapped END AS vague
FROM ct_sought AS q
LEFT JOIN ct_resource AS r USING (request)
LEFT JOIN (SELECT DISTINCT request FROM ct_several) AS s USING (request)
LEFT JOIN (SELECT record FROM ct_sought WHERE of > 1 GROUP BY record HAVING count(*) > 1) AS m USING (record)
WHERE r.request IS NOT NULL OR NOT starts_with(q.pick, 'dynamodb-');
