-- question: which AWS actions has any log ever shown?
-- grain: action.
-- inputs: logged.
-- parameters: none.
SELECT DISTINCT action FROM logged WHERE mapped AND service = 'aws' ORDER BY action;
