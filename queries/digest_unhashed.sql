-- question: which log files do digest files name whose decompressed bytes have not been hashed yet?
-- grain: one content of a log file on disk.
-- inputs: digest_entry; log_file; log_content.
-- parameters: none.
SELECT min(f.uri) AS uri, f.digest
FROM log_file f
SEMI JOIN (SELECT regexp_replace(s3_object, '^.*/|\.gz$', '', 'g') AS name FROM digest_entry) AS e
       ON e.name = regexp_replace(f.uri, '^.*/|\.gz$|\.zst$', '', 'g')
WHERE f.source = 'cloudtrail' AND f.digest NOT IN (SELECT digest FROM log_content)
GROUP BY f.digest
ORDER BY ALL;
