-- question: which distinct requests did the agent make, and what does the window say about each?
-- grain: service, action, resource, branch, partial, kind (exercised, approved, no_evidence, refused, ungranted, unmapped).
-- inputs: own_event. `opened` is the first use as one number, the day (since 1970) before 32 bits of the session, so that parts of
--         a log can be merged by min; a line without a session is taken as one of a session of that day. `one_session`: no other made it.
--         `days` are bits: every day of its use, counted from 1970 and taken modulo 61.
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
           sum(uses)::BIGINT AS uses,
           min((epoch_us(time) // 86400000000) * 4294967296 + coalesce(run_low, run)) AS opened,
           bit_or(1::BIGINT << ((epoch_us(time) // 86400000000)::INTEGER % 61)) AS days,
           min(coalesce(run_low, run)) = max(coalesce(run_high, run)) AS one_session,
           min(time) AS first_used, max(last_time) AS last_used, bool_or(suspicious) AS suspicious
    FROM (
        SELECT *, (hash(CASE WHEN session = '' THEN CAST(CAST(time AS DATE) AS VARCHAR) ELSE session END) % 4294967296)::BIGINT AS run
        FROM own_event($agent, $first, $after)
    )
    GROUP BY ALL
);
