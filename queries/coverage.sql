-- question: on which days was each source alive, and on which of them is a part known to be missing?
-- grain: source and day with at least one record.
-- inputs: logged; holed_day; log_file; unread.
-- parameters: $first (timestamp), $after.
SELECT e.source, e.day,
       h.day IS NOT NULL
       OR EXISTS (FROM unread AS u WHERE u.source IN ('', e.source) AND e.day BETWEEN u.first_day AND u.last_day) AS holed
FROM (
    SELECT DISTINCT source, CAST(time AS DATE) AS day FROM logged WHERE time >= $first AND time < $after
) e
LEFT JOIN (
    SELECT DISTINCT f.source, d.day FROM holed_day d JOIN log_file f ON f.id = d.file_id
) h ON h.source = e.source AND h.day = e.day
ORDER BY e.source, e.day;
