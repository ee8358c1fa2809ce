"""What a merge on GitHub made of a policy file: by the number of its pull request, asked of the API."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import quote

from tightener.errors import TightenerError
from tightener.publish.client import Api
from tightener.publish.merges import Commit


@dataclass(frozen=True, slots=True)
class GitHubHistory:
    """The commits of one repository on GitHub."""

    api: Api
    repository: str  # owner/name

    def commit(self, name: str) -> Commit:
        """A commit. Raises TightenerError."""
        found = self.api.must(f"/repos/{self.repository}/git/commits/{name}")
        parents = tuple(str(one["sha"]) for one in found["parents"])
        return Commit(str(found["sha"]), parents, str(found["message"]), str(found["tree"]["sha"]))

    def file(self, commit: str, path: str) -> bytes | None:
        """A file's bytes. Raises TightenerError, also (`unreadable`) for a file of more than a megabyte."""
        found = self.api.ask(f"/repos/{self.repository}/contents/{quote(path)}", ref=commit)
        if not isinstance(found, dict) or "content" not in found:
            return None
        if found.get("encoding") != "base64":
            raise TightenerError(
                f"GitHub does not hand out {path}, it is too large",
                slug="unreadable",
                hint="name the commit of the merge, which Git here knows, with --diff or --write",
            )
        return base64.b64decode(found["content"])

    def pull_request(self, number: int, base: str) -> tuple[str, str]:
        """The commit of a pull request's merge, and its body. `base`: the branch that it has to be merged into.

        Raises TightenerError (`not-merged`).
        """
        found = self.api.must(f"/repos/{self.repository}/pulls/{number}")
        if not found["merged_at"]:
            state = "open still" if found["state"] == "open" else "closed without merging"
            raise TightenerError(
                f"#{number} is {state}, so it took nothing away",
                slug="not-merged",
                hint="close it, if it is not wanted",
            )
        if found["base"]["ref"] != base:
            raise TightenerError(
                f"#{number} was merged into {found['base']['ref']}, not into {base}",
                slug="not-merged",
                hint="check `publish: base:`",
            )
        return str(found["merge_commit_sha"]), (found["body"] or "").replace("\r\n", "\n")
