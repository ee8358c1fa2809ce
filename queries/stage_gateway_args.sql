-- question: which resources does a gateway line with arguments or several resources touch?
-- grain: gw_entry, one top-level argument of one line (`name` NULL: the whole object); gw_list, one item of `resources`.
-- inputs: gw_line; staged_line (its calls)
-- parameters: parsed (whether staged_line belongs to it)

CREATE OR REPLACE TEMP TABLE gw_entry AS
WITH split AS (
    SELECT file_id, position, args, TRY(map_entries(json_transform(args, '"MAP(VARCHAR, JSON)"'))) AS entries
    FROM (
        SELECT file_id, position, args FROM gw_line WHERE reason IS NULL AND args <> '{}'
        UNION ALL
        SELECT file_id, position, args FROM staged_line WHERE $parsed AND call
    )
),
entry AS (
    SELECT file_id, position, unnest(entries) AS e, generate_subscripts(entries, 1) AS nr FROM split
    WHERE entries IS NOT NULL
)
SELECT file_id, position, nr, e.key AS name, COALESCE(e.value, 'null') AS raw FROM entry
UNION ALL
SELECT file_id, position, 1, NULL, args FROM split WHERE entries IS NULL; -- equal names: no map can hold them

CREATE OR REPLACE TEMP TABLE gw_list AS
WITH item AS (
    SELECT file_id, position, unnest(items) AS resource, generate_subscripts(items, 1) AS nr
    FROM (
        SELECT file_id, position,
               list_concat(CASE WHEN resource <> '' THEN [resource] ELSE [] END, json_transform(resources, '["VARCHAR"]'))
                   AS items
        FROM gw_line WHERE reason IS NULL AND resources IS NOT NULL AND (args IS NULL OR args = '{}')
    )
)
SELECT * FROM item;
