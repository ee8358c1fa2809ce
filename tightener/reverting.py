"""Undoing a merged tightening: what it took away comes back, as a pull request of its own.

find (what the merge made of the file) -> undo (the text, proved) -> draft (a body for it) -> settle, as every week.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from tightener import pipeline
from tightener.errors import TightenerError
from tightener.policy import diff, document
from tightener.publish import merges, record, revert_body
from tightener.publish.commit import branch_of, revert_branch_of
from tightener.publish.host import Draft, Outcome
from tightener.publish.markdown import inert
from tightener.publish.merges import LocalHistory, Merged
from tightener.publish.revert_body import Told
from tightener.publish.settle import settle
from tightener.publish.undo import Undone, undone
from tightener.pulls import Place, looked
from tightener.tighten.wording import count

_SHORT = 10  # characters of a commit's name
_NO_LIMIT = sys.maxsize  # a person asks for it: how many of the weekly ones are open does not matter


@dataclass(frozen=True, slots=True)
class Reverted:
    """What comes back into one policy file."""

    place: Place
    merge: Merged
    done: Undone
    moment: datetime  # from which on it was proved

    @property
    def diff(self) -> str:
        """The change to the file as it is today, '' where all of it is back already."""
        return diff.unified(self.place.file.text, self.done.text, self.place.path)


def find(place: Place, what: str, base: str) -> Merged | None:
    """What a commit, or the pull request whose body is in the file of this name, made of the policy file.

    In: the branch or commit that it has to be in. None where the repository knows no such thing, or where that did not
    change the file. Raises TightenerError (`not-merged`).
    """
    history = LocalHistory(place.git)
    commit, title = history.named(what), ""
    if not commit and what.endswith(".md"):
        seen = place.host.look(place.path, branch_of(place.path))
        if seen.open and seen.open.name == what:
            raise _not_merged(f"{what} is open still")
        known = next((record.read(one.body) for one in seen.ended if one.name == what and one.merged), None)
        commit = history.merge_of(known.blob, base, place.path) if known else ""
        title = what
    if not commit:
        return None
    found = merges.texts(history, commit, place.path)
    if found is None:
        return None
    if not history.is_in(commit, base):
        raise _not_merged(f"{commit[:_SHORT]} is not in {base}")
    return Merged(title or f"commit {commit[:_SHORT]}", commit, *found)


def with_body(place: Place, merge: Merged) -> Merged:
    """The same with the body of its pull request, where one is known: by the file that it proposed."""
    history = LocalHistory(place.git)
    others = history.commit(merge.commit).parents[1:]
    blobs = [place.git.blob(one, place.path) for one in (merge.commit, *others)]
    known = merges.told_by(place.host.look(place.path, branch_of(place.path)).ended, blobs)
    if known is None:
        return merge
    title = known.name if known.name.startswith("#") else merge.title  # a file's name is no better than the commit's
    return Merged(title, merge.commit, merge.before, merge.after, known.body)


def _not_merged(why: str) -> TightenerError:
    return TightenerError(f"{why}, so it took nothing away", slug="not-merged", hint="name what was merged")


def undo(place: Place, merge: Merged, only: Sequence[str], now: datetime) -> Reverted:
    """What the merge took away, put back into the file as it is today, and proved. Raises what `undone` raises."""
    known = record.read(merge.body) or record.Record()
    done = undone(
        place.file, (merge.before, merge.after), known.edits, record.names(merge.body), list(dict.fromkeys(only)), now
    )
    return Reverted(place, merge, done, now)


def propose(one: Reverted, requester: str) -> Outcome:
    """Opens the pull request, refreshes it, or closes it where all is back.

    Raises TightenerError (`policy-not-in-base`, `revert-open`, and what the host raises)."""
    place = one.place
    branch = revert_branch_of(place.path)
    seen = looked(place, branch)
    known = (record.read(seen.open.body) if seen.open else None) or record.Record()
    content = place.git.normal(place.path, document.encode(one.done.text))
    draft = _draft(one, branch, content, known.requester or requester)
    new = record.read(draft.body) or record.Record()
    if seen.open and draft.changes and (known.reverts, set(known.taken)) != (new.reverts, set(new.taken)):
        raise TightenerError(
            f"{seen.open.name} puts something else back into {place.path}, and is open",
            slug="revert-open",
            hint=f"merge or close it first: {seen.open.place}",
        )
    return settle(place.host, draft, _NO_LIMIT)


def _draft(one: Reverted, branch: str, content: bytes, requester: str) -> Draft:
    place, merge, done = one.place, one.merge, one.done
    known = record.read(merge.body) or record.Record()
    blob = place.git.name_of(content)
    number = max(len(done.back), 1) if one.diff else 0
    told = Told(
        title=merge.title,
        commit=merge.commit,
        path=place.path,
        diff=one.diff,
        blob=blob,
        digests=(pipeline.digest(place.file.text), pipeline.digest(done.text)),
        requester=requester,
        reviewers=tuple(place.host.reviewers(place.path)),
        version=version("tightener"),
        moment=one.moment,
        standings={**known.unticked, **known.taken},
    )
    title = f"Give back what {_spoken(merge.title)} took away from {place.path}"
    lines = [inert(title), "", f"Undoes {merge.commit}: {count(number, 'rule')} as before.", ""]
    lines += [f"Requested-by: {inert(requester)} with tightener {told.version}"]
    return Draft(
        path=place.path,
        branch=branch,
        changes=number,
        content=content,
        blob=blob,
        title=inert(title),
        message="\n".join(lines),
        body=revert_body.render(done, told),
        unsure=False,
        why="" if number else "all that it took away is granted again already",
    )


def _spoken(title: str) -> str:
    return f"pull request {title[1:]}" if title.startswith("#") else title
