"""Bugs to plant in reading logs."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "refused calls count as used",
        "queries/request.sql",
        "WHEN outcome IN ('used', 'used_unlogged') THEN 'exercised'",
        "WHEN outcome IN ('used', 'used_unlogged', 'refused') THEN 'exercised'",
        "tests/cli/test_story.py",
    ),
    Bug(
        "a service that nobody logged is called unexercised (3)",
        "tightener/logs/coverage.py",
        "elif source.source in self.gateways and service in source.services:",
        "elif source.source in self.gateways:",
        "tests/properties",
    ),
    Bug(
        "a trail of reads is taken to show writes (3)",
        "tightener/services/observe.py",
        "return MANAGEMENT if kind == STS else kind, reads(action)",
        "return MANAGEMENT if kind == STS else kind, True",
        "tests/logs/test_trail.py",
    ),
    Bug(
        "a bucket's data events are taken to show every bucket's (3)",
        "tightener/logs/trail.py",
        "return _earliest(self.containers.get((*shown, container(resource))), declared)",
        "return _earliest(self.classes.get(shown), declared)",
        "tests/logs/test_data_events.py",
    ),
    Bug(
        "a copy shows the bucket that it may not have been logged for (3)",
        "queries/stage_cloudtrail_trail.sql",
        "HAVING min(container) = max(container);",
        ";",
        "tests/logs/test_data_events.py",
    ),
    Bug(
        "a file that a digest names may be missing (3)",
        "tightener/logs/coverage.py",
        "holed = (trail.holed(shown.gaps, proved) | digests.holes(con)) if TRAIL in alive else frozenset()",
        "holed = trail.holed(shown.gaps, proved) if TRAIL in alive else frozenset()",
        "tests/logs/test_trail.py",
    ),
    Bug(
        "the second witness counts again",
        "queries/own_event.sql",
        "WHERE w.file_id = t.file_id AND w.position = t.position AND w.part = t.part)",
        "WHERE false)",
        "tests/cli/test_story.py",
    ),
    Bug(
        "a line that does not tell its run is nobody's",
        "queries/own_event_of_job.sql",
        "(e.session = '' OR e.session IN (SELECT session FROM job_session WHERE ours))",
        "e.session IN (SELECT session FROM job_session WHERE ours)",
        "tests/properties/test_jobs.py",
    ),
    Bug(
        "a call past the gateway is nobody's",
        "queries/own_event_of_job.sql",
        "WHERE t.session NOT IN (SELECT session FROM job_session WHERE NOT ours)",
        "WHERE t.session IN (SELECT session FROM job_session WHERE ours)",
        "tests/properties/test_jobs.py",
    ),
    Bug(
        "a job is at work whenever its agent may be",
        "queries/job_days.sql",
        "list(day) FILTER (sure)",
        "list(day)",
        "tests/properties/test_jobs.py",
    ),
    Bug(
        "a session is of one job only",
        "tightener/logs/jobs.py",
        "bool_or(job = $job) AS ours",
        "min(job) = $job AS ours",
        "tests/properties/test_jobs.py",
    ),
    Bug(
        "a third copy of a record counts (6)",
        "queries/ingest_finish.sql",
        "WHERE nr > 1\n",
        "WHERE nr = 2\n",
        "tests/logs/test_ingest.py tests/properties",
    ),
    Bug(
        "a line has its neighbour's number",
        "tightener/logs/formats/whole.py",
        "place = np.arange(len(index)) - first[index] + 1",
        "place = np.arange(len(index)) - first[index] + 2",
        "tests/logs/test_whole.py",
    ),
    Bug(
        "a redirection to a file is taken for one that touches none",
        "tightener/services/shell.py",
        "        if found is None:\n            self._refuse()\n        self._at = found.end()\n        return True\n",
        "        self._at = found.end() if found else self._at + 1\n        return True\n",
        "tests/services/test_shell.py",
    ),
    Bug(
        "what a WITH names hides a table everywhere",
        "tightener/services/sql.py",
        "known | {name} if with_.recursive else known)",
        "known | {name})",
        "tests/services/test_sql.py",
    ),
    Bug(
        "the word behind --password is stored",
        "tightener/logs/redact.py",
        'if option is not None and option.startswith("-") and "=" not in option and is_secret(option):',
        "if False:",
        "tests/logs/test_spoken.py",
    ),
)
