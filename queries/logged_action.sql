-- question: which actions were ever logged, by whomever?
-- grain: service, action.
-- inputs: logged.
-- parameters: none.
SELECT DISTINCT service, action FROM logged WHERE mapped ORDER BY ALL;
