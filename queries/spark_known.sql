-- question: which records does the database know, by the hash of their ids?
-- grain: one native record.
-- inputs: event; pruned_event.
-- parameters: none.
-- (Spark knows no unsigned numbers: a hash is moved by 2 ** 63.)
SELECT (id::HUGEINT - 9223372036854775808)::BIGINT AS id
FROM (SELECT event_key(source, native_id) AS id FROM event WHERE part = 0 UNION ALL SELECT id FROM pruned_event);
