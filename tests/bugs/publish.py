"""Bugs to plant in pull requests."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "a person's commits are built over",
        "tightener/publish/settle.py",
        "    if tip and not tip.seal and not any(",
        "    if tip and not tip.commit and not any(",
        "tests/publish/test_settle.py",
    ),
    Bug(
        "a refresh does not stand on the branch's tip",
        "tightener/publish/settle.py",
        "else (tip.commit, base.commit)",
        "else (base.commit,)",
        "tests/publish/test_settle.py",
    ),
    Bug(
        "a 422 ends the run instead of looking again",
        "tightener/publish/client.py",
        '        return Again(f"GitHub refused',
        '        return TightenerError(f"GitHub refused',
        "tests/publish/test_github.py",
    ),
    Bug(
        "labels and reviewers that an interruption left out stay out",
        "tightener/publish/github.py",
        "return seen.open.place, () if seen.open.dressed else self._dress(seen.open, draft)",
        "return seen.open.place, ()",
        "tests/publish/test_github.py",
    ),
    Bug(
        "a branch is moved by force",
        "tightener/publish/github.py",
        '"force": False}',
        '"force": True}',
        "tests/publish/test_github.py",
    ),
    Bug(
        "a limit that a PATCH meets is not waited for",
        "tightener/publish/client.py",
        '_VERBS = ("GET", "POST", "PATCH", "DELETE")',
        '_VERBS = ("GET", "POST", "DELETE")',
        "tests/publish/test_github.py::test_a_fault_at_any_later_write_loses_nothing_either",
    ),
    Bug(
        "GitHub may make a run wait for hours",
        "tightener/publish/client.py",
        "        if wait is not None and wait > _LONGEST_WAIT:",
        "        if wait is not None and wait > 36_000:",
        "tests/publish/test_github.py::test_what_lasts_is_said_in_clear_words",
    ),
    Bug(
        "a proposal that is checked out is its own base",
        "tightener/publish/local.py",
        "        if is_ours(branch):",
        "        if is_ours(path):",
        "tests/publish/test_local.py::test_a_proposal_that_is_checked_out_is_no_base",
    ),
    Bug(
        "the limit of changes is each agent's own",
        "tightener/pulls.py",
        "        if number + more <= body.MOST_CHANGES:",
        "        if more <= body.MOST_CHANGES:",
        "tests/weekly/test_run.py::test_a_file_of_many_agents_is_proposed_in_parts_that_can_be_read",
    ),
    Bug(
        "what had to be restored is not remembered",
        "tightener/weekly/sequence.py",
        "                merged.remember(self.project.con, place.file.path, realised)",
        "                merged.known(self.project.con, place.file.path)",
        "tests/weekly/test_run.py::test_what_a_merge_broke_is_asked_for_again_once",
    ),
    Bug(
        "locally nothing limits how many are open",
        "tightener/publish/local.py",
        "return Seen(base, tip, None, tuple(past), others)",
        "return Seen(base, tip, None, tuple(past))",
        "tests/publish/test_local.py::test_at_most_so_many_are_open_here_too",
    ),
    Bug(
        "a local branch is moved without a look",
        "tightener/publish/git.py",
        '        self.write("update-ref", f"refs/heads/{branch}", new, old or _MISSING)',
        '        self.write("update-ref", f"refs/heads/{branch}", new)',
        "tests/publish/test_local.py",
    ),
    Bug(
        "a no holds a day longer",
        "tightener/publish/record.py",
        "if record is None or today - ended.day >= timedelta(days=NO_DAYS)",
        "if record is None or today - ended.day > timedelta(days=NO_DAYS)",
        "tests/publish/test_record.py",
    ),
    Bug(
        "merging is a no to what was merged",
        "tightener/publish/record.py",
        "        if not ended.merged and record.state != CLOSED:",
        "        if record.state != CLOSED:",
        "tests/publish/test_record.py",
    ),
    Bug(
        "mentions are left outside code",
        "tightener/publish/markdown.py",
        're.compile(r"[@#]|://',
        're.compile(r"[#]|://',
        "tests/publish/test_markdown.py",
    ),
    Bug(
        "pipes end a cell",
        "tightener/publish/markdown.py",
        '_PLAIN = frozenset(" .,:',
        '_PLAIN = frozenset("| .,:',
        "tests/publish/test_markdown.py",
    ),
    Bug(
        "the body forgets its limit",
        "tightener/publish/body.py",
        "        if most < 0:\n            return\n",
        "",
        "tests/publish/test_body.py",
    ),
    Bug(
        "the user's own index is written",
        "tightener/publish/git.py",
        'own = {"GIT_INDEX_FILE": str(Path(folder) / "index")}',
        'own = {"GIT_INDEX": str(Path(folder) / "index")}',
        "tests/publish/test_local.py",
    ),
)
