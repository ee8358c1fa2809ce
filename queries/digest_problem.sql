-- question: where do CloudTrail's digest files and what was read disagree?
-- grain: digest or log file, and what is wrong with it.
-- inputs: digest_file; digest_entry; log_file; log_content.
-- parameters: none.
-- A log file is known by its name, which is unique; it may have been unpacked (`.gz` is gone) and then hashes as it is.
WITH logs AS (
    SELECT regexp_replace(f.uri, '^.*/|\.gz$|\.zst$', '', 'g') AS name, f.uri, f.digest, c.content
    FROM log_file f LEFT JOIN log_content c ON c.digest = f.digest
    WHERE f.source = 'cloudtrail'
),
entries AS (
    SELECT e.s3_object, e.oldest, e.newest, d.starts, d.ends, d.chain, count(l.uri) AS found, min(l.uri) AS uri,
           coalesce(bool_or(l.content = e.content OR l.digest = e.content), false) AS sound,
           coalesce(bool_or(l.content IS NULL), false) AS unopened
    FROM digest_entry e
    JOIN digest_file d USING (uri)
    LEFT JOIN logs l ON l.name = regexp_replace(e.s3_object, '^.*/|\.gz$', '', 'g')
    GROUP BY e.s3_object, e.content, e.oldest, e.newest, d.starts, d.ends, d.chain
),
linked AS (
    SELECT d.*, p.uri AS before, p.content AS found,
           row_number() OVER (PARTITION BY d.chain ORDER BY d.starts, d.uri) AS nr
    FROM digest_file d LEFT JOIN digest_file p ON p.s3_object = d.previous AND p.chain = d.chain
    WHERE d.problem = ''
)
SELECT uri AS file, problem, chain, starts, ends, false AS holes FROM digest_file WHERE problem <> ''
UNION ALL
SELECT before, 'altered: the digest file after it has another hash for it', chain, starts - (ends - starts), starts, false
FROM linked WHERE before IS NOT NULL AND found <> previous_content
UNION ALL
SELECT previous, 'missing: the digest file after it names it', chain, starts - (ends - starts), starts, false
FROM linked WHERE before IS NULL AND previous <> '' AND nr > 1
UNION ALL
SELECT coalesce(uri, s3_object),
       CASE WHEN found = 0 THEN 'missing: a digest file names it, and it was not read'
            WHEN unopened THEN 'cannot be opened any more to compare it with its digest'
            ELSE 'altered: its hash is not the one in the digest file' END,
       chain, coalesce(oldest, starts), coalesce(newest, ends), found = 0 OR NOT unopened
FROM entries WHERE NOT sound
ORDER BY ALL;
