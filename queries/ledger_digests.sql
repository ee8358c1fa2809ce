-- question: which of CloudTrail's digest files were read, and what do they hash to?
-- grain: digest file.
-- inputs: digest_file.
-- parameters: none.
SELECT uri, content, problem
FROM digest_file
ORDER BY uri;
