"""An account's IAM as `aws iam get-account-authorization-details` gives it: who there is, which policies reach whom.

A file that holds one policy document is taken, too: then the document itself is the granted side.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from tightener.errors import Place, PolicyError
from tightener.iam.document import Reading, RepeatedName, Statement, loads, read
from tightener.iam.locate import place
from tightener.policy.patterns import matches

_LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
_SESSION = ":assumed-role/"
DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Identity:
    """A role, a user, or a document that stands for one: what its policies say.

    `boundary`: None = it has none. `unread`: policies that reach it and are not in the file.
    """

    kind: str  # "role", "user", "document"
    name: str
    arn: str
    statements: tuple[Statement, ...]
    boundary: tuple[Statement, ...] | None = None
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """What was read: plain data, read further when a role is asked for."""

    path: str
    data: Mapping[str, Any] = field(repr=False)
    text: str = field(default="", repr=False)

    @property
    def is_document(self) -> bool:
        """Whether the file holds one policy document instead of an account."""
        return not any(name in self.data for name in _LISTS)

    def arns(self) -> tuple[str, ...]:
        """The ARNs of all roles and users, in the file's order."""
        return tuple(str(raw.get("Arn", "")) for _, _, raw in self._members())

    def identities(self, principals: Sequence[str]) -> tuple[Identity, ...]:
        """The roles and users that some of the patterns match; a session's ARN stands for its role.

        Raises PolicyError (`iam-invalid`) for a mistake in a policy that reaches one of them.
        """
        if self.is_document:
            found = self._policy(self.data, DOCUMENT, self.path, ())
            return (Identity(DOCUMENT, self.path, "", found),)
        return tuple(
            self._identity(kind, steps, raw)
            for kind, steps, raw in self._members()
            if any(is_principal(pattern, str(raw.get("Arn", ""))) for pattern in principals)
        )

    def _members(self) -> Iterable[tuple[str, tuple[str | int, ...], Mapping[str, Any]]]:
        for kind, name in (("role", "RoleDetailList"), ("user", "UserDetailList")):
            for i, raw in enumerate(self._list(self.data, name, ())):
                yield kind, (name, i), self._object(raw, (name, i))

    def _identity(self, kind: str, steps: tuple[str | int, ...], raw: Mapping[str, Any]) -> Identity:
        unread: list[str] = []
        statements = self._own(raw, "RolePolicyList" if kind == "role" else "UserPolicyList", steps, "", unread)
        groups = {
            str(self._object(group, ("GroupDetailList", i)).get("GroupName")): i
            for i, group in enumerate(self._list(self.data, "GroupDetailList", ()))
        }
        for name in self._list(raw, "GroupList", steps):
            if name in groups:
                at = ("GroupDetailList", groups[name])
                group = self._object(self._list(self.data, at[0], ())[at[1]], at)
                statements += self._own(group, "GroupPolicyList", at, f" of group {name}", unread)
            else:
                unread.append(f"group {name}")
        boundary = None
        limit = raw.get("PermissionsBoundary")
        if limit:
            arn = str(self._object(limit, (*steps, "PermissionsBoundary")).get("PermissionsBoundaryArn", ""))
            boundary = self._managed(arn, "permissions boundary", _day(raw.get("CreateDate")))
            if boundary is None:
                unread.append(f"permissions boundary {arn}")
        arn = str(raw.get("Arn", ""))
        name = str(raw.get("RoleName" if kind == "role" else "UserName", arn))
        return Identity(kind, name, arn, tuple(statements), boundary, tuple(unread))

    def _own(
        self, raw: Mapping[str, Any], inline: str, steps: tuple[str | int, ...], of: str, unread: list[str]
    ) -> list[Statement]:
        """The statements of inline and attached policies, in the file's order."""
        found: list[Statement] = []
        made = _day(raw.get("CreateDate"))
        for i, entry in enumerate(self._list(raw, inline, steps)):
            at = (*steps, inline, i)
            policy = self._object(entry, at)
            document = policy.get("PolicyDocument")
            found += self._policy(
                document, f"inline policy{of}", str(policy.get("PolicyName", "")), (*at, "PolicyDocument"), made
            )
        for i, policy in enumerate(self._list(raw, "AttachedManagedPolicies", steps)):
            arn = str(self._object(policy, (*steps, "AttachedManagedPolicies", i)).get("PolicyArn", ""))
            statements = self._managed(arn, f"managed policy{of}", made)
            if statements is None:
                unread.append(f"managed policy{of} {arn}")
            found += statements or ()
        return found

    def _managed(self, arn: str, how: str, made: date | None) -> tuple[Statement, ...] | None:
        """The default version of a managed policy; None when the file has no such policy."""
        for i, raw in enumerate(self._list(self.data, "Policies", ())):
            if not isinstance(raw, Mapping) or raw.get("Arn") != arn:
                continue
            at = ("Policies", i, "PolicyVersionList")
            versions = [self._object(v, at) for v in self._list(raw, "PolicyVersionList", at[:2])]
            default = [j for j, v in enumerate(versions) if v.get("IsDefaultVersion") is True]
            default = default or [
                j for j, v in enumerate(versions) if v.get("VersionId") == raw.get("DefaultVersionId")
            ]
            if len(default) != 1:
                raise PolicyError(
                    f"the policy {arn} has {len(default)} default versions",
                    slug="iam-invalid",
                    hint="make the file again with `aws iam get-account-authorization-details`",
                    place=self._place(at),
                )
            version = versions[default[0]]
            days = [day for day in (made, _day(version.get("CreateDate"))) if day]
            name = str(raw.get("PolicyName", arn))
            return self._policy(
                version.get("Document"), how, name, (*at, default[0], "Document"), max(days, default=None)
            )
        return None

    def _policy(
        self, document: Any, how: str, name: str, steps: Sequence[str | int], since: date | None = None
    ) -> tuple[Statement, ...]:
        return read(document, Reading(how, name, lambda inner: self._place([*steps, *inner]), since))

    def _place(self, steps: Sequence[str | int]) -> Place:
        return place(self.path, self.text, steps)

    def _list(self, raw: Mapping[str, Any], name: str, steps: Sequence[str | int]) -> list[Any]:
        value = raw.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._odd(f"`{name}` must be a list", (*steps, name))
        return value

    def _object(self, value: Any, steps: Sequence[str | int]) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self._odd("an object is expected here", steps)
        return value

    def _odd(self, message: str, steps: Sequence[str | int]) -> PolicyError:
        return PolicyError(
            message,
            slug="iam-not-an-account",
            hint="make the file with `aws iam get-account-authorization-details > account.json`",
            place=self._place(steps),
        )


def is_principal(pattern: str, arn: str) -> bool:
    """Whether a principal pattern of the configuration means this role or user.

    Logs name a session (`arn:aws:sts::1:assumed-role/NAME/SESSION`) by the role's name, an account with its path.
    """
    if _SESSION not in pattern:
        return matches(pattern, arn)
    head, _, tail = pattern.partition(_SESSION)
    start, slash, rest = arn.partition(":role/")
    wanted = tail.partition("/")[0]
    return bool(slash) and matches(head.replace(":sts:", ":iam:"), start) and matches(wanted, rest.rpartition("/")[2])


def load(path: Path) -> Account:
    """Reads a file. Raises PolicyError: `unreadable`, `iam-syntax`, `iam-not-an-account`, `iam-truncated`."""
    try:
        raw = path.read_bytes()
        text = raw.decode(json.detect_encoding(raw)).removeprefix("\ufeff")  # PowerShell's `>` writes UTF-16
    except OSError as error:
        raise PolicyError(f"cannot be read: {error.strerror}", slug="unreadable", place=Place(str(path))) from error
    except UnicodeDecodeError as error:
        raise PolicyError("is not UTF-8 or UTF-16 text", slug="unreadable", place=Place(str(path))) from error
    return parse(text, str(path))


def parse(text: str, path: str) -> Account:
    """`load` for a text; `path` is only for messages."""
    try:
        data = loads(text)
    except json.JSONDecodeError as error:
        where = Place(path, error.lineno, error.colno)
        raise PolicyError(f"not valid JSON: {error.msg}", slug="iam-syntax", place=where) from error
    except (RepeatedName, RecursionError) as error:
        hint = "AWS refuses a repeated name; remove one of the two" if isinstance(error, RepeatedName) else ""
        raise PolicyError(f"not a policy: {error}", slug="iam-syntax", hint=hint, place=Place(path)) from error
    return checked(Account(path, data if isinstance(data, dict) else {}, text))


def checked(account: Account) -> Account:
    """The account, when it is one, or one document. Raises PolicyError."""
    data = account.data
    if account.is_document and not any(str(name).lower() == "statement" for name in data):
        raise PolicyError(
            "this is neither an account's IAM nor a policy document",
            slug="iam-not-an-account",
            hint="make the file with `aws iam get-account-authorization-details > account.json`",
            place=Place(account.path),
        )
    if data.get("IsTruncated") or data.get("Marker") or data.get("NextToken"):
        raise PolicyError(
            "this is only one page of the account",
            slug="iam-truncated",
            hint="`aws iam get-account-authorization-details` without --no-paginate and --max-items gives all of it",
            place=Place(account.path),
        )
    return account


def _day(value: Any) -> date | None:
    """The day of a time as the API (a datetime) or a file (text) gives it; None when there is none."""
    if isinstance(value, datetime):
        return value.date()
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
