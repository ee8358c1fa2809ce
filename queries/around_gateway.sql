-- question: which direct calls of the agent's callers did its gateway never see, in an hour in which its log is complete?
-- grain: one CloudTrail request.
-- inputs: logged; log_file; holed_day; trail_event; second_witness; pruned_around. An hour counts as complete where a gateway logged
--         anything in it and its day has no hole.
-- parameters: $agent, $first, $after.
WITH alive AS (
    SELECT DISTINCT date_trunc('hour', time) AS hour FROM logged
    WHERE source <> 'cloudtrail' AND time >= $first AND time < $after
      AND CAST(time AS DATE) NOT IN (SELECT d.day FROM holed_day d JOIN log_file f ON f.id = d.file_id WHERE f.source <> 'cloudtrail')
)
SELECT time, action, resource, session, native_id, uri, position, outcome FROM pruned_around
WHERE agent = $agent AND time >= $first AND time < $after
UNION ALL
SELECT e.time, e.action, e.resource, e.session, e.native_id, f.uri, e.position, e.outcome
FROM trail_event($first, $after) AS e
JOIN log_file f ON f.id = e.file_id
WHERE e.source = 'cloudtrail' AND NOT e.indirect
  AND e.outcome IN ('used', 'refused')
  AND date_trunc('hour', e.time) IN (SELECT hour FROM alive)
  AND EXISTS (SELECT 1 FROM logged g WHERE g.source <> 'cloudtrail' AND g.agent = $agent)
  AND NOT EXISTS (
      SELECT 1 FROM second_witness w
      WHERE w.file_id = e.file_id AND w.position = e.position AND w.part = e.part)
ORDER BY time, native_id, action, resource;
