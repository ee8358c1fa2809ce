-- question: none; the macros that stage_cloudtrail_record.sql needs.
-- grain: none.
-- inputs: none
-- parameters: none

-- What an errorMessage says about a refusal; NULL where it does not speak of this caller. The resource may be in quotes
-- and then hold blanks (S3). The encoded message of EC2 comes last and is not kept.
CREATE OR REPLACE TEMP MACRO ct_said(message) AS
    regexp_extract(message,
        'User: (\S+) is not authorized to perform: ([a-zA-Z0-9-]+:[a-zA-Z0-9]+)(?: on (?:the )?resource:? (?:"([^"]+)"|([^\s"]+)))?(.*)',
        ['who', 'action', 'quoted', 'plain', 'tail'], 's');

CREATE OR REPLACE TEMP MACRO ct_layer(tail) AS
    regexp_extract(tail,
        '(because no|with an explicit deny in (?:an?|the)) ((?:[A-Za-z]+[ -]){1,4}(?:policy|boundary|policies))\b',
        ['how', 'layer']);

CREATE OR REPLACE TEMP MACRO ct_refusal(message, caller) AS
    CASE WHEN contains(message, 'is not authorized to perform: ')
          AND COALESCE(caller = '' OR ct_said(message).who = caller, true)
         THEN {'action': ct_said(message).action,
               'resource': rtrim(ct_said(message).quoted || ct_said(message).plain, '.,'),
               'layer': lower(ct_layer(ct_said(message).tail).layer),
               'explicit': starts_with(ct_layer(ct_said(message).tail).how, 'with')}
    END;
