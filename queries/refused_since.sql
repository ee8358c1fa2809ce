-- question: which requests of an agent were refused for want of a grant, and by which events?
-- The gateway's own refusals, and a service's where no gateway decided; not what a person refused to approve.
-- grain: distinct refused request, the first one first.
-- inputs: own_event.
-- parameters: $agent, $first (timestamp), $after (first moment behind the window).
SELECT service, action, resource, branch, partial, sum(uses)::BIGINT AS refusals, min(time) AS first_refused,
       max(last_time) AS last_refused, arg_min(native_id, (time, native_id)) AS sample
FROM own_event($agent, $first, $after)
WHERE outcome = 'refused' AND mapped AND decision IN ('deny', '')
GROUP BY ALL
ORDER BY first_refused, service, action, resource, branch;
