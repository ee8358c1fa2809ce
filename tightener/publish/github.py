"""Pull requests on GitHub: branches and commits through the Git data API, no checkout and no push from here."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from tightener.errors import TightenerError
from tightener.publish import owners, record
from tightener.publish.client import Api
from tightener.publish.commit import folder_of, just_before, opened, sealed
from tightener.publish.host import Again, Base, Draft, Ended, Kind, Landed, Plan, PullRequest, Seen, Tip

_SAID = 200  # characters of what a person wrote when closing


@dataclass(frozen=True, slots=True)
class GitHubHost:
    """One repository on GitHub, or on a GitHub Enterprise Server."""

    api: Api
    repository: str  # owner/name
    labels: tuple[str, ...]
    today: date
    base_branch: str = ""  # '' = the repository's default branch

    def look(self, path: str, branch: str) -> Seen:
        """What there is. Raises TightenerError."""
        base = self._base(path)
        pulls = self.api.pages(self._at("/pulls"), state="open")
        ours = [one for one in pulls if self._is_ours(one, folder_of(branch))]
        mine = next((one for one in ours if one["head"]["ref"] == branch), None)
        return Seen(
            base,
            self._tip(path, branch),
            self._pull_request(mine) if mine else None,
            tuple(self._ended(branch)),
            sum(one["head"]["ref"] != branch for one in ours),
        )

    def base(self) -> str:
        """The branch that pull requests ask to change. Raises TightenerError."""
        return self.base_branch or str(self.api.must(self._at(""))["default_branch"])

    def reviewers(self, path: str) -> Sequence[str]:
        """By CODEOWNERS of the base."""
        commit = self._base(path).commit
        for place in owners.PLACES:
            found = self.api.ask(self._at(f"/contents/{quote(place)}"), ref=commit)
            if isinstance(found, dict) and "content" in found:
                return owners.of(base64.b64decode(found["content"]).decode("utf-8", "replace"), path)
        return ()

    def landed(self, path: str, ended: Ended) -> Landed | None:
        """From the commits that merging made, however it was done. Raises TightenerError."""
        found = self.api.ask(self._at(f"/git/commits/{ended.merge}")) if ended.merge else None
        if found is None:
            return None
        before = just_before(ended.merge, ended.head, self._parents)
        at = datetime.fromisoformat(found["committer"]["date"])
        return Landed(at, self._content(before, path) if before else None, self._content(ended.merge, path))

    def _parents(self, commit: str) -> tuple[Sequence[str], str]:
        found = self.api.must(self._at(f"/git/commits/{commit}"))
        return [str(one["sha"]) for one in found["parents"]], str(found["message"])

    def _content(self, commit: str, path: str) -> bytes | None:
        found = self.api.ask(self._at(f"/contents/{quote(path)}"), ref=commit)
        if not isinstance(found, dict) or found.get("encoding") != "base64":
            return None
        return base64.b64decode(found["content"])

    def carry_out(self, plan: Plan, draft: Draft, seen: Seen) -> tuple[str, Sequence[str]]:
        """One write after the other; each leaves a state from which the next run goes on."""
        if plan.kind in {Kind.CLOSED, Kind.CLEARED}:
            return self._close(plan, draft, seen), ()
        if plan.kind not in {Kind.OPENED, Kind.REFRESHED}:
            return (seen.open.place if seen.open else ""), ()
        if plan.parents:
            self._commit(plan, draft, seen)
        if seen.open is None:
            opened_, notes = self._open(draft, seen.base.branch)
            return opened_.place, [*notes, *self._dress(opened_, draft)]
        if seen.open.body.rstrip() != draft.body.rstrip():
            self.api.write("PATCH", self._at(f"/pulls/{seen.open.name[1:]}"), {"body": draft.body})
        return seen.open.place, () if seen.open.dressed else self._dress(seen.open, draft)

    def _at(self, path: str) -> str:
        return f"/repos/{self.repository}{path}"

    def _base(self, path: str) -> Base:
        branch = self.base()
        commit = self._commit_of(branch)
        if commit is None:
            raise TightenerError(
                f"{self.repository} has no branch {branch}", slug="no-base", hint="check `publish: base:`"
            )
        entry = self._entry(commit, path)
        return Base(branch, commit, str(entry["sha"]) if entry else "")

    def _commit_of(self, branch: str) -> str | None:
        found = self.api.ask(self._at(f"/git/ref/heads/{quote(branch)}"))
        return str(found["object"]["sha"]) if found else None

    def _entry(self, commit: str, path: str) -> Mapping[str, Any] | None:
        """A file's entry in a commit's trees, one folder after the other (a whole tree may be cut short)."""
        at: str | None = commit
        entry: Mapping[str, Any] | None = None
        for name in path.split("/"):
            if at is None:
                return None
            entries = self.api.must(self._at(f"/git/trees/{at}"))["tree"]
            entry = next((one for one in entries if one["path"] == name), None)
            at = str(entry["sha"]) if entry and entry["type"] == "tree" else None
        return entry if entry and entry["type"] == "blob" else None

    def _tip(self, path: str, branch: str) -> Tip | None:
        commit = self._commit_of(branch)
        if commit is None:
            return None
        found = self.api.must(self._at(f"/git/commits/{commit}"))
        entry = self._entry(commit, path)
        return Tip(commit, str(entry["sha"]) if entry else "", opened(found["message"], found["tree"]["sha"]))

    def _is_ours(self, pull: Mapping[str, Any], folder: str) -> bool:
        home = pull["head"]["repo"]
        return bool(home) and home["full_name"] == self.repository and folder_of(pull["head"]["ref"]) == folder

    def _pull_request(self, pull: Mapping[str, Any]) -> PullRequest:
        has = {label["name"] for label in pull["labels"]}
        return PullRequest(f"#{pull['number']}", pull["html_url"], _lines(pull["body"]), has.issuperset(self.labels))

    def _ended(self, branch: str) -> Iterator[Ended]:
        """The pull requests of a branch that were merged, or closed in the last 90 days."""
        owner = self.repository.partition("/")[0]
        pulls = self.api.pages(self._at("/pulls"), state="closed", head=f"{owner}:{branch}")
        for pull in pulls:
            day = datetime.fromisoformat(pull["closed_at"]).date()
            merged = pull["merged_at"] is not None
            old = not merged and self.today - day > timedelta(record.NO_DAYS)
            if old or pull["head"]["ref"] != branch or not self._is_ours(pull, folder_of(branch)):
                continue
            body = _lines(pull["body"])
            known = record.read(body)
            asked = not merged and known is not None and not known.state
            said = self._last_words(pull["number"]) if asked else ""
            merge = str(pull.get("merge_commit_sha") or "") if merged else ""
            yield Ended(f"#{pull['number']}", body, day, merged, pull["head"]["sha"], said, merge)

    def _last_words(self, number: int) -> str:
        comments = self.api.pages(self._at(f"/issues/{number}/comments"))
        people = [one for one in comments if (one["user"] or {}).get("type") == "User"]
        if not people:
            return ""
        text = " ".join(str(people[-1]["body"]).split())
        return f"{people[-1]['user']['login']}: {text[:_SAID]}{'…' if len(text) > _SAID else ''}"

    def _commit(self, plan: Plan, draft: Draft, seen: Seen) -> None:
        entry = self._entry(seen.base.commit, draft.path)
        mode = entry["mode"] if entry else "100644"
        content = {"content": base64.b64encode(draft.content).decode(), "encoding": "base64"}
        blob = self.api.write("POST", self._at("/git/blobs"), content, {"sha": draft.blob})
        on = self.api.must(self._at(f"/git/commits/{seen.base.commit}"))["tree"]["sha"]
        changed = [{"path": draft.path, "mode": mode, "type": "blob", "sha": blob["sha"]}]
        tree = self.api.write("POST", self._at("/git/trees"), {"base_tree": on, "tree": changed}, {"sha": "TREE"})
        message = sealed(draft.message, seen.base.commit, seen.base.blob, tree["sha"])
        said = {"message": message, "tree": tree["sha"], "parents": list(plan.parents)}
        commit = self.api.write("POST", self._at("/git/commits"), said, {"sha": "COMMIT"})
        if seen.tip is None:
            self.api.write("POST", self._at("/git/refs"), {"ref": f"refs/heads/{draft.branch}", "sha": commit["sha"]})
        else:  # not by force: refused where somebody has pushed meanwhile
            move = {"sha": commit["sha"], "force": False}
            self.api.write("PATCH", self._at(f"/git/refs/heads/{quote(draft.branch)}"), move)

    def _open(self, draft: Draft, base: str) -> tuple[PullRequest, list[str]]:
        said = {"title": draft.title, "head": draft.branch, "base": base, "body": draft.body}
        stand_in = {"number": 0, "html_url": "", "body": draft.body, "labels": []}
        if draft.unsure:
            try:
                pull = self.api.write("POST", self._at("/pulls"), {**said, "draft": True}, stand_in)
            except Again as error:
                if "draft" not in error.message.lower():
                    raise
            else:
                return self._pull_request(pull), ["opened as a draft, because its evidence is thin"]
        pull = self.api.write("POST", self._at("/pulls"), said, stand_in)
        thin = ["its evidence is thin, and this repository has no drafts"] if draft.unsure else []
        return self._pull_request(pull), thin

    def _dress(self, pull: PullRequest, draft: Draft) -> list[str]:
        """Reviewers first: the labels say that nothing is missing."""
        number = pull.name[1:]
        notes = self._ask_for_review(number, [one[1:] for one in self.reviewers(draft.path) if one.startswith("@")])
        self.api.write("POST", self._at(f"/issues/{number}/labels"), {"labels": list(self.labels)})
        return notes

    def _ask_for_review(self, number: str, owners_: Sequence[str]) -> list[str]:
        """All at once. Where GitHub refuses that, each alone: one who may not review, as the author of the pull request
        may not, is no reason to ask nobody."""
        if not owners_:
            return []
        people = [one for one in owners_ if "/" not in one]
        teams = [one.partition("/")[2] for one in owners_ if "/" in one]
        asked = {"reviewers": people, "team_reviewers": teams}
        try:
            self.api.write("POST", self._at(f"/pulls/{number}/requested_reviewers"), asked)
        except TightenerError as error:
            if error.slug not in {"github-refused", "github-forbidden"}:
                raise
            if len(owners_) > 1:
                return [note for one in owners_ for note in self._ask_for_review(number, [one])]
            return [f"no review was asked of {owners_[0]}: {error.message}"]
        return []

    def _close(self, plan: Plan, draft: Draft, seen: Seen) -> str:
        """In one write the word of why and the closing, then the branch."""
        if seen.open:
            body = record.ended(seen.open.body, record.CLOSED, self.today, f"Closed by tightener: {plan.why}")
            self.api.write("PATCH", self._at(f"/pulls/{seen.open.name[1:]}"), {"state": "closed", "body": body})
        if seen.tip and self._commit_of(draft.branch) == seen.tip.commit:
            self.api.write("DELETE", self._at(f"/git/refs/heads/{quote(draft.branch)}"), None)
        return seen.open.place if seen.open else ""


def _lines(body: str | None) -> str:
    """A body as it was sent: an edit in the browser makes every line end with CR LF."""
    return (body or "").replace("\r\n", "\n")
