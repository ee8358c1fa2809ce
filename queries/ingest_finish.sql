-- question: which staged records are new, and what belongs into the tables besides them?
-- grain: event, one request of an accepted record; run, identity, mcp_call, as staged; rejected, one record; not_use, file and
--   reason; holed_day, file and day.
-- inputs: staged_request, staged_run, staged_identity, staged_mcp_call, staged_rejected, staged_not_use, staged_file; event, pruned_event, pruned_day
-- parameters: latest (a record dated after it is rejected), first and last (the times between which staged records lie)
-- Equal ids have equal times, so only the part of `event` between `first` and `last` is searched for duplicates. A
-- record stands or falls with all its requests; of equal records the first in reading order stays.

INSERT INTO staged_rejected
SELECT file_id, position, 'dated in the future', CAST(time AS DATE) FROM staged_request WHERE part = 0 AND time > $latest;

-- Grouping numbers is quicker than grouping texts; what shares a hash by chance is told apart below.
CREATE OR REPLACE TEMP TABLE staged_twin AS
SELECT hash(native_id) AS h FROM staged_request WHERE part = 0 AND time <= $latest GROUP BY hash(native_id) HAVING count(*) > 1;

-- What is of days whose events were dropped: only their ids are left, as hashes.
CREATE OR REPLACE TEMP TABLE staged_late AS
SELECT s.file_id, s.position, event_key(s.source, s.native_id) AS id, CAST(s.time AS DATE) AS day
FROM staged_request AS s
WHERE s.part = 0 AND s.time < (SELECT max(day) + 1 FROM pruned_day) AND CAST(s.time AS DATE) IN (SELECT day FROM pruned_day);

CREATE OR REPLACE TEMP TABLE staged_duplicate AS
SELECT file_id, position
FROM (
    SELECT file_id, position,
           row_number() OVER (PARTITION BY source, native_id ORDER BY file_id, position) AS nr
    FROM staged_request WHERE part = 0 AND time <= $latest AND hash(native_id) IN (SELECT h FROM staged_twin)
)
WHERE nr > 1
UNION
SELECT s.file_id, s.position
FROM staged_request AS s
SEMI JOIN (SELECT source, native_id FROM event WHERE part = 0 AND time BETWEEN $first AND $last) AS e
       ON e.source = s.source AND e.native_id = s.native_id
WHERE s.part = 0 AND s.time <= $latest
UNION
SELECT s.file_id, s.position
FROM staged_late AS s
SEMI JOIN (SELECT day, id FROM pruned_event WHERE day BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)) AS p USING (day, id);

-- Nothing depends on the order of the rows of `event`, and without it all cores write at once.
SET preserve_insertion_order = false;

INSERT INTO event
SELECT s.* FROM staged_request AS s ANTI JOIN staged_duplicate AS d USING (file_id, position) WHERE s.time <= $latest;

SET preserve_insertion_order = true;

INSERT INTO run SELECT DISTINCT * FROM staged_run ORDER BY ALL;

INSERT INTO identity FROM staged_identity;

INSERT INTO mcp_call SELECT DISTINCT * FROM staged_mcp_call ORDER BY ALL;

INSERT INTO trail_record SELECT s.* FROM staged_trail_record AS s ANTI JOIN staged_duplicate AS d USING (file_id, position);

INSERT INTO trail_shown SELECT * FROM staged_trail_shown WHERE hour <= $latest ORDER BY ALL;

INSERT INTO rejected SELECT file_id, position, reason FROM staged_rejected ORDER BY file_id, position;

INSERT INTO not_use SELECT file_id, reason, sum(records) FROM staged_not_use GROUP BY file_id, reason ORDER BY ALL;

-- A rejected record without a readable time may be of any day of its file; a file cut short lacks the end of its last day.
-- (few files are so, and only their requests are looked at)
INSERT INTO holed_day
WITH torn AS (
    SELECT file_id FROM staged_rejected WHERE day IS NULL UNION SELECT file_id FROM staged_file WHERE problem <> ''
),
covered AS (
    SELECT file_id, CAST(time AS DATE) AS day, max(position) AS last
    FROM staged_request SEMI JOIN torn USING (file_id) WHERE time <= $latest GROUP BY ALL
)
SELECT file_id, day FROM staged_rejected WHERE day <= CAST($latest AS DATE)
UNION
SELECT file_id, day FROM covered
SEMI JOIN (
    SELECT r.file_id FROM staged_rejected AS r
    JOIN (SELECT file_id, max(last) AS last FROM covered GROUP BY file_id) AS l USING (file_id)
    JOIN staged_file AS f USING (file_id)
    WHERE r.day IS NULL AND (f.problem = '' OR r.position < l.last) -- the line in which a file was cut is its last
) AS r USING (file_id)
UNION
SELECT file_id, max(day) FROM covered SEMI JOIN (SELECT file_id FROM staged_file WHERE problem <> '') AS p USING (file_id)
GROUP BY file_id
ORDER BY ALL;

-- The usage files of these days are to be made anew; with them those of requests that a tool call now turns out to have made.
INSERT INTO stale_day
SELECT DISTINCT CAST(time AS DATE) FROM staged_request WHERE time <= $latest
UNION
SELECT DISTINCT CAST(time AS DATE) FROM event
WHERE time BETWEEN $first::TIMESTAMP - INTERVAL 1 DAY AND $last::TIMESTAMP + INTERVAL 1 DAY
  AND request_id IN (SELECT request_id FROM staged_mcp_call WHERE request_id <> '');
