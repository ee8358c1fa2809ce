-- question: which actions were ever logged, by whomever?
-- grain: service, action.
-- inputs: event.
-- parameters: none.
SELECT DISTINCT service, action FROM event WHERE mapped ORDER BY ALL;
