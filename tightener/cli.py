"""The commands: parse, call, print. No logic.

The global options (--config, --db, --json, --quiet, --no-progress) may stand anywhere on the line.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import duckdb
import typer

from tightener.commands.context import Context, fail, ran_out
from tightener.errors import EXIT_ERROR, TightenerError
from tightener.lines import reading, running, setup, showing, tightening, trials, undoing, widening
from tightener.options import hoist

_KEPT = {-3: 16 << 20, -1: 64 << 20}  # malloc.h: M_MMAP_THRESHOLD, M_TRIM_THRESHOLD; bytes

app = typer.Typer(
    name="tightener",
    help="Least privilege for AI agents from what they really did: reads audit logs, compares them with the policy, "
    "and proposes the smallest policy that keeps the agent working, proved never wider.",
    epilog="--config, --db, --json, --quiet and --no-progress may stand anywhere on the line. "
    "Exit codes: 0 done, 1 error, 2 usage, 3 no events or coverage too thin, 10 suggestions exist (with --exit-code), "
    "11 verification failed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


_VERSION = "Print the version and stop."


def _told_version(asked: bool) -> None:  # noqa: FBT001 - a flag
    if asked:
        typer.echo(f"tightener {installed_version('tightener')}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", help="tightener.yaml. Default: in this folder or a parent.")
    ] = None,
    db: Annotated[
        Path | None,
        typer.Option("--db", help="Database. Default: .tightener/tightener.duckdb beside the configuration."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout; words go to stderr.")] = False,  # noqa: FBT002 - a flag
    quiet: Annotated[bool, typer.Option("--quiet", help="Only results and errors.")] = False,  # noqa: FBT002 - a flag
    no_progress: Annotated[bool, typer.Option("--no-progress", help="No progress bar.")] = False,  # noqa: FBT002 - a flag
    version: Annotated[bool, typer.Option("--version", help=_VERSION, is_eager=True, callback=_told_version)] = False,  # noqa: ARG001, FBT002 - a flag, told before this
) -> None:
    """Global options."""
    ctx.obj = Context(config_path=config, database=db, json=json, quiet=quiet, progress=not no_progress and not quiet)


COMMANDS = (  # in the order of the help text
    reading.ingest,
    reading.status,
    reading.prune,
    reading.agents,
    tightening.compare,
    tightening.iam,
    tightening.suggest,
    running.run,
    showing.publish,
    undoing.revert,
    widening.watch,
    widening.request,
    tightening.reject,
    tightening.exceptions,
    trials.backtest,
    trials.bench,
    tightening.explain,
    trials.decide,
    trials.verify,
    showing.report,
    showing.evidence,
    showing.verify_evidence,
    reading.export,
    reading.sql,
    setup.schema,
    setup.init,
    setup.doctor,
)

for command in COMMANDS:
    app.command()(command)


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. Typer itself answers usage errors, with exit code 2."""
    try:
        app(hoist(arguments), prog_name="tightener")
    except TightenerError as error:
        fail(error, as_json="--json" in arguments)
        return error.exit_code
    except duckdb.OutOfMemoryException as error:
        fail(ran_out(error), as_json="--json" in arguments)
        return EXIT_ERROR
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return 0


def spend_less() -> None:
    """Have Python and the C library do less about memory: a seventh of what reading a large log costs.

    The garbage collector does not walk all modules whenever a hundred thousand values were read. And what is freed is
    kept for the next text, where the C library is GNU's: else it comes back from the system page by page, zeroed anew.
    """
    gc.freeze()
    gc.set_threshold(100_000)
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        for parameter, size in _KEPT.items():
            mallopt(parameter, size)


def main() -> None:
    """The console script."""
    spend_less()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
