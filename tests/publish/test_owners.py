"""CODEOWNERS, by the examples of GitHub's documentation, written anew."""

from __future__ import annotations

import pytest

from tightener.publish.owners import of

TEXT = """
# a comment
*                 @all
*.js              @js  # a comment behind
/build/logs/      @logs
docs/*            docs@example.com
apps/             @octocat
/docs/            @doctocat @org/team
/scripts/         @a @b
**/deep           @deep
/apps/github
policies/**/a.yaml @mid
with\\ space.yaml @space
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("policy.yaml", ("@all",)),
        ("x/y.js", ("@js",)),
        ("build/logs/a/b", ("@logs",)),
        ("other/build/logs/a", ("@all",)),
        ("apps/x/y", ("@octocat",)),
        ("in/apps/x", ("@octocat",)),
        ("docs/a.yaml", ("@doctocat", "@org/team")),
        ("x/docs/a.yaml", ("@all",)),
        ("x/deep/y", ("@deep",)),
        ("deep", ("@deep",)),
        ("apps/github", ()),
        ("policies/a.yaml", ("@mid",)),
        ("policies/x/y/a.yaml", ("@mid",)),
        ("with space.yaml", ("@space",)),
    ],
)
def test_the_last_line_that_fits_decides(path: str, owners: tuple[str, ...]) -> None:
    assert of(TEXT, path) == owners


def test_a_star_does_not_go_below_a_folder() -> None:
    assert of("docs/* @d", "docs/a.md") == ("@d",)
    assert of("docs/* @d", "docs/b/a.md") == ()


def test_no_file_no_owner() -> None:
    assert of("", "policy.yaml") == ()
