-- question: which distinct requests did the agent make, and what does the window say about each?
-- grain: service, action, resource, branch, partial, kind (exercised, approved, no_evidence, refused, ungranted, unmapped).
-- inputs: own_event.
-- parameters: $agent, $first (timestamp), $after (first moment behind the window).
CREATE OR REPLACE TEMP TABLE request AS
SELECT row_number() OVER () AS id, *
FROM (
    SELECT service, action, resource, branch, partial,
           CASE WHEN NOT mapped THEN 'unmapped'
                WHEN outcome IN ('used', 'used_unlogged') THEN 'exercised'
                WHEN outcome = 'approved' THEN 'approved'
                WHEN outcome = 'used_ungranted' THEN 'ungranted'
                WHEN outcome = 'by_service' THEN 'by_service'
                WHEN outcome = 'refused' THEN 'refused'
                ELSE 'no_evidence' END AS kind,
           count(*) AS uses, min(time) AS first_used, max(time) AS last_used, bool_or(suspicious) AS suspicious
    FROM own_event($agent, $first, $after)
    GROUP BY ALL
);
