"""Policy documents: every legal spelling is read, every mistake is an error with its place and a suggestion."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tightener.errors import Place, PolicyError
from tightener.iam.account import parse
from tightener.iam.document import Reading, Statement, read

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}


def one(document: Any) -> Statement:
    (found,) = read(document, Reading("inline policy", "p", lambda _: Place("x")))
    return found


def test_a_single_statement_a_string_and_lists_say_the_same() -> None:
    listed = {**ALLOW, "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/*"]}
    forms = [
        {"Statement": ALLOW},
        {"Statement": [ALLOW]},
        {"Statement": [listed]},
        {"Version": "2012-10-17", "Statement": listed},
    ]
    assert len({one(form) for form in forms}) == 1


def test_documents_may_be_text_plain_or_url_encoded() -> None:
    text = json.dumps({"Statement": ALLOW})
    assert one(text) == one(quote(text)) == one(quote(text, safe="")) == one(f"\n {text}") == one({"Statement": ALLOW})


def test_a_plus_sign_in_a_url_encoded_document_stays_a_plus_sign() -> None:
    document = {"Statement": {**ALLOW, "Resource": "arn:aws:s3:::b/a+b"}}
    assert one(quote(json.dumps(document), safe="+")).resources == ("arn:aws:s3:::b/a+b",)


def test_element_names_in_any_case() -> None:
    lower = {
        "version": "2012-10-17",
        "statement": [{"effect": "Allow", "action": "s3:GetObject", "RESOURCE": "arn:aws:s3:::b/*"}],
    }
    assert one(lower) == one({"Statement": ALLOW})


def test_actions_are_printed_in_the_catalogues_case() -> None:
    assert one({"Statement": {**ALLOW, "Action": ["S3:getobject", "s3:get*"]}}).actions == ("s3:GetObject", "s3:get*")


def test_nothing_that_narrows_or_widens_is_dropped() -> None:
    found = one(
        {
            "Statement": {
                "Sid": "Odd",
                "Effect": "Deny",
                "NotAction": ["iam:*"],
                "NotResource": "arn:aws:s3:::home/${aws:username}/*",
                "Condition": {
                    "Bool": {"aws:MultiFactorAuthPresent": False},
                    "StringLike": {"aws:PrincipalTag/team": ["a*", "b"], "s3:prefix": []},
                },
            }
        }
    )
    assert (found.allow, found.not_action, found.not_resource) == (False, True, True)
    assert found.variables == ("${aws:username}",)
    assert found.conditions == (
        "Bool aws:MultiFactorAuthPresent = false",
        "StringLike aws:PrincipalTag/team = a*, b",
        "StringLike s3:prefix = ",
    )
    assert str(found.source) == "inline policy p, statement 1 (Odd)"


def test_an_empty_condition_is_none() -> None:
    assert one({"Statement": {**ALLOW, "Condition": {}}}).conditions == ()


WITHOUT_ACTION = {k: v for k, v in ALLOW.items() if k != "Action"}


@pytest.mark.parametrize(
    ("statement", "words", "hint"),
    [
        ({**ALLOW, "Effect": "allow"}, "Effect is 'allow'", "did you mean `Allow`?"),
        ({**ALLOW, "Effect": "Permit"}, "Effect is 'Permit'", "`Allow` or `Deny`"),
        ({k: v for k, v in ALLOW.items() if k != "Effect"}, "Effect is None", "`Allow` or `Deny`"),
        ({**ALLOW, "Acton": "s3:*"}, "unknown element `Acton`", "did you mean `Action`?"),
        ({**ALLOW, "Conditions": {}}, "unknown element `Conditions`", "did you mean `Condition`?"),
        ({**ALLOW, "Principal": "*"}, "`Principal` belongs to a resource's policy", "attached to roles"),
        ({**ALLOW, "NotAction": "iam:*"}, "both Action and NotAction", "it needs one"),
        (WITHOUT_ACTION, "neither Action nor NotAction", "it needs one"),
        ({**ALLOW, "action": "s3:*"}, "`Action` stands twice", "merge"),
        ({**ALLOW, "Action": None}, "Action must be text or a list of texts, not null", ""),
        ({**ALLOW, "Action": []}, "Action must be text or a list of texts, not an empty one", "grants nothing"),
        ({**ALLOW, "Action": ["s3:GetObject", 7]}, "Action must be text", ""),
        ({**ALLOW, "Resource": {"Ref": "Bucket"}}, "Resource must be text or a list of texts, not an object", ""),
        ({**ALLOW, "Action": "s3GetObject"}, "`s3GetObject` is no action", "did you mean `s3:GetObject`?"),
        ({**ALLOW, "Action": "s3: GetObject"}, "`s3: GetObject` is no action", "service:Name"),
        ({**ALLOW, "Action": "s3:${aws:username}"}, "is no action", "service:Name"),
        ({**ALLOW, "Resource": "invoice-data"}, "`invoice-data` is no ARN", "arn:aws:s3:::invoice-data"),
        ({**ALLOW, "Condition": "always"}, "a condition must be an object, not text", "StringEquals"),
        ({**ALLOW, "Condition": {"Bool": ["x"]}}, "a condition must be an object, not a list", ""),
        ({**ALLOW, "Condition": {"Bool": {"x": {"y": "z"}}}}, "the condition on x holds an object", ""),
        ("Allow", "text where an object is expected", "Effect"),
    ],
)
def test_mistakes_are_errors_with_place_and_suggestion(statement: Any, words: str, hint: str) -> None:
    good = json.dumps(ALLOW)
    text = f'{{"Version": "2012-10-17",\n "Statement": [\n  {good},\n  {json.dumps(statement)}]}}'
    with pytest.raises(PolicyError) as caught:
        parse(text, "p.json").identities(())
    assert caught.value.slug == "iam-invalid"
    assert words in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.place is not None
    assert (caught.value.place.path, caught.value.place.line) == ("p.json", 4)


def test_the_column_is_that_of_the_item() -> None:
    text = '{"Statement": {"Effect": "Allow", "Action": ["s3:GetObject", "s3 PutObject"], "Resource": "*"}}'
    with pytest.raises(PolicyError) as caught:
        parse(text, "p.json").identities(())
    assert caught.value.place is not None
    assert text[caught.value.place.column - 1 :].startswith('"s3 PutObject"')


@pytest.mark.parametrize(
    "document", [None, [], 7, "", "not json", "%7Bbroken", '{"Statement": 1}', {}, {"Version": "2012-10-17"}]
)
def test_no_document_at_all(document: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        read(document, Reading("inline policy", "p", lambda _: Place("x")))
    assert caught.value.slug == "iam-invalid"
    assert "inline policy p" in caught.value.message


def test_no_statements_grant_nothing() -> None:
    assert read({"Statement": []}, Reading("inline policy", "p", lambda _: Place("x"))) == ()


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("{", "iam-syntax"),
        ('{"Statement": [], "Statement": []}', "iam-syntax"),
        ('{"Statement": {"Effect": "Allow", "Effect": "Deny"}}', "iam-syntax"),
        ('{"Statement": ' + "[" * 100_000 + "]" * 100_000 + "}", "iam-syntax"),
        ("[]", "iam-not-an-account"),
        ("7", "iam-not-an-account"),
        ('{"agents": {}}', "iam-not-an-account"),
        ('{"RoleDetailList": {}}', "iam-not-an-account"),
        ('{"RoleDetailList": [7]}', "iam-not-an-account"),
        ('{"RoleDetailList": [], "IsTruncated": true, "Marker": "x"}', "iam-truncated"),
        ('{"RoleDetailList": [], "NextToken": "x"}', "iam-truncated"),
    ],
)
def test_files_that_are_no_account(text: str, slug: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(text, "a.json").identities(["*"])
    assert caught.value.slug == slug
    assert caught.value.place is not None
