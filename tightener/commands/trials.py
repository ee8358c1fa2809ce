"""The commands that try tightener out: on an agent's own past, and on data of others."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from tightener import pipeline
from tightener.backtest import rolling
from tightener.bench import agentdojo, score, show
from tightener.commands.context import Context, Question, project_of
from tightener.errors import NoEvidence, TightenerError
from tightener.report import backtest as backtest_report


def backtest(ctx: Context, asked: Question, horizon: int, now: datetime) -> None:
    """tightener backtest; an empty agent = all that the policy names.

    Raises NoEvidence (`no-period`) where nobody's log reaches back far enough.
    """
    if horizon < 1:
        raise TightenerError("a period of no days says nothing", slug="no-horizon", hint="say --horizon 30d")
    project = project_of(ctx, asked, now)
    policies = pipeline.read_policies(project, asked.policy or ())
    found = [
        rolling.backtest(
            project, policies, name, days=asked.days, horizon=horizon, as_of=asked.as_of, min_age=asked.min_age
        )
        for name in ([asked.agent] if asked.agent else policies.agents)
    ]
    if not any(one.periods for one in found):
        first = found[0]
        raise NoEvidence(
            f"no period could be scored: {first.skipped[-1]}" if first.skipped else backtest_report.lacking(first),
            slug="no-period",
            hint="read older logs, or ask for less: --window, --horizon",
        )
    if ctx.json:
        ctx.answer(backtest_report.document(found))
    else:
        for i, one in enumerate(found):
            if i:
                ctx.words.line()
            backtest_report.words(ctx.words, one)


def bench(ctx: Context, what: str, path: Path) -> None:
    """tightener bench"""
    if what != "agentdojo":
        raise TightenerError(f"there is no benchmark {what}", slug="unknown-benchmark", hint="there is: agentdojo")
    data = agentdojo.read(path)
    rows = score.run(data)
    if ctx.json:
        ctx.answer(show.document(data, rows))
    else:
        show.words(ctx.words, data, rows)
