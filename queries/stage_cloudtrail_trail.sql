-- question: what do the parsed records say besides the requests that they make?
-- grain: a record with more to say (staged_trail_record); file, hour, class and container (staged_trail_shown).
-- inputs: ct_record; ct_map; ct_request, ct_event; ct_data_action (action); ct_layer_name (phrase, layer)
-- parameters: none

INSERT INTO staged_trail_record BY NAME
SELECT r.file_id, r.position, r.native_id, r.shared_id, r.elsewhere, r.corrects,
       COALESCE(l.layer, '') AS denied_by, l.layer IS NOT NULL AND r.refusal.explicit AS explicit
FROM (FROM ct_record WHERE shared_id <> '' OR corrects <> '' OR refusal IS NOT NULL) AS r
JOIN ct_map AS m ON m.event_source = r.event_source AND m.event_name = r.event_name AND m.nr = 0
LEFT JOIN ct_layer_name AS l ON l.phrase = r.refusal.layer
WHERE r.reject IS NULL AND r.idle IS NULL AND m.problem IS NULL
  AND (r.shared_id <> '' OR r.corrects <> '' OR l.layer IS NOT NULL);

-- What the resources of data events lie in. A record of several (a copy, a batch) was logged for one of them, and which one
-- it does not say: it speaks for none.
CREATE OR REPLACE TEMP TABLE ct_contained AS
SELECT record, ct_container(resource) AS container
FROM ct_request WHERE plain AND action IN (SELECT action FROM ct_data_action)
UNION ALL
SELECT record, min(container) AS container
FROM (SELECT record, ct_container(resource) AS container FROM ct_event WHERE action IN (SELECT action FROM ct_data_action))
GROUP BY record
HAVING min(container) = max(container);

-- A record's own word on what class it is of comes before what is known of its action. (numbers are quicker to group than texts)
INSERT INTO staged_trail_shown
SELECT r.file_id, r.hour, r.account, r.region,
       CASE WHEN r.idle THEN ''
            WHEN COALESCE(r.data, m.data_class <> '') THEN COALESCE(NULLIF(m.data_class, ''), 'data:' || m.prefix)
            ELSE m.management_class END AS class,
       COALESCE(r.read_only, m.reads) AS read_only,
       CASE WHEN NOT r.idle AND COALESCE(r.data, true) AND m.data_class <> '' THEN COALESCE(r.container, '') ELSE '' END
           AS container,
       sum(r.records)
FROM (
    SELECT r.file_id, date_trunc('hour', r.time) AS hour, r.account, r.region, m.map, r.idle IS NOT NULL AS idle, r.data,
           r.read_only, c.container, count(*) AS records
    FROM ct_record AS r
    JOIN ct_map AS m ON m.event_source = r.event_source AND m.event_name = r.event_name AND m.nr = 0
    LEFT JOIN ct_contained AS c USING (record)
    WHERE r.reject IS NULL AND m.problem IS NULL
    GROUP BY ALL
) AS r
JOIN ct_map AS m USING (map)
GROUP BY ALL;

DROP VIEW ct_row;
DROP TABLE ct_contained;
DROP TABLE ct_named;
DROP TABLE ct_several;
DROP TABLE ct_resource;
DROP TABLE ct_found;
DROP TABLE ct_scoped;
DROP TABLE ct_call;
DROP TABLE ct_place;
DROP VIEW ct_ready;
DROP TABLE ct_identity;
