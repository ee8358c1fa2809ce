-- question: which distinct requests did the agent make, and what does the window say about each?
-- grain: service, action, resource, branch, partial, kind (exercised, approved, no_evidence, refused, ungranted, unmapped).
-- inputs: usage.
-- parameters: none.
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
           sum(uses)::BIGINT AS uses, min(first_used) AS first_used, max(last_used) AS last_used,
           bool_or(suspicious) AS suspicious
    FROM usage
    GROUP BY ALL
);
