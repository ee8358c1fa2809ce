-- question: which resources does a gateway line with arguments or several resources touch?
-- grain: gw_call, one distinct call, an action with its arguments (agents repeat themselves: each is read once, however
--   many lines hold it); gw_entry, one top-level argument of one call (`name` NULL: the whole object; `kind`: which program
--   reads it, with its `text`; `plain`: it is one shell command as it stands); gw_list, one resource of one line that
--   lists several.
-- inputs: gw_line; staged_line (its calls); gw_kind (action, name, kind: which arguments a program reads)
-- parameters: parsed (whether staged_line belongs to it); shell_plain, shell_not_plain (regular expressions)

CREATE OR REPLACE TEMP TABLE gw_call AS
SELECT row_number() OVER () AS call, action, args
FROM (
    SELECT action, args::VARCHAR AS args FROM gw_line WHERE reason IS NULL AND args <> '{}'
    UNION
    SELECT action, args FROM staged_line WHERE $parsed AND call
);

CREATE OR REPLACE TEMP TABLE gw_entry AS
WITH split AS (
    SELECT call, action, args, TRY(map_entries(json_transform(args, '"MAP(VARCHAR, JSON)"'))) AS entries FROM gw_call
),
entry AS (
    SELECT call, action, unnest(entries) AS e, generate_subscripts(entries, 1) AS nr FROM split
    WHERE entries IS NOT NULL
),
named AS (
    SELECT call, action, nr, e.key AS name, COALESCE(e.value, 'null') AS raw FROM entry
    UNION ALL
    SELECT call, action, 1, NULL, args FROM split WHERE entries IS NULL -- equal names: no map can hold them
),
-- a program reads a text; a shell also takes its words one by one
spoken AS (
    SELECT n.* EXCLUDE (action),
           CASE WHEN starts_with(n.raw, '"') THEN k.kind
                WHEN k.kind = 'shell' AND starts_with(n.raw, '["')
                     AND len(list_filter(json_type(n.raw, '$[*]'), lambda t: t <> 'VARCHAR')) = 0 THEN 'words' END AS program,
           CASE WHEN program = 'words' THEN n.raw::VARCHAR WHEN program IS NOT NULL THEN n.raw ->> '$' END AS text
    FROM named AS n LEFT JOIN gw_kind AS k ON k.action = n.action AND k.name = n.name
)
SELECT * RENAME (program AS kind),
       program = 'shell' AND regexp_full_match(text, $shell_plain) AND NOT regexp_matches(text, $shell_not_plain) AS plain
FROM spoken;

CREATE OR REPLACE TEMP TABLE gw_list AS
WITH item AS (
    SELECT file_id, position, unnest(items) AS resource, generate_subscripts(items, 1) AS nr
    FROM (
        SELECT file_id, position,
               list_concat(CASE WHEN resource <> '' THEN [resource] ELSE [] END, json_transform(resources, '["VARCHAR"]'))
                   AS items
        FROM gw_line WHERE reason IS NULL AND resources IS NOT NULL AND (args IS NULL OR args = '{}')
    )
),
once AS (
    SELECT file_id, position, resource, min(nr) AS nr FROM item GROUP BY ALL
)
SELECT file_id, position, resource, row_number() OVER (PARTITION BY file_id, position ORDER BY nr) - 1 AS part FROM once;
