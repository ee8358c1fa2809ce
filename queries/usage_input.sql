-- question: which requests are to be rolled up by usage.sql, and whose were they?
-- grain: one request of an event. It is the relation `event` of usage.sql, before which it is put as WITH event AS (...).
-- inputs: event_caller; usage_day (the days); settled_witness (request, and the agent that it is counted for already)
-- parameters: $first (timestamp), $after (first moment behind the last of the days).
-- The caller is identity.id, which is one for one with the eight texts and quicker to group by.
SELECT e.* EXCLUDE (caller, counted_for), e.caller, COALESCE(w.agent, '') AS counted_for
FROM event_caller AS e
LEFT JOIN settled_witness AS w ON w.file_id = e.file_id AND w.position = e.position AND w.part = e.part
WHERE e.file_id IS NOT NULL AND e.time >= $first AND e.time < $after
  AND CAST(e.time AS DATE) IN (SELECT day FROM usage_day)
