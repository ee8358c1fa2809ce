-- question: which AWS actions has any log ever shown?
-- grain: action.
-- inputs: event.
-- parameters: none.
SELECT DISTINCT action FROM event WHERE mapped AND service = 'aws' ORDER BY action;
