"""The commands that set tightener up: what editors check files by, what a repository begins with, what is amiss."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path

from tightener import doctor as checks
from tightener import starter
from tightener.commands.context import Context
from tightener.doctor import Level
from tightener.errors import EXIT_DONE, EXIT_ERROR, TightenerError
from tightener.report import setup
from tightener.resources import SCHEMAS
from tightener.resources import schema as schema_text


def schema(ctx: Context, what: str) -> None:
    """tightener schema"""
    if what not in SCHEMAS:
        raise TightenerError(
            f"there is no schema {what}", slug="unknown-schema", hint=f"there are: {', '.join(SCHEMAS)}"
        )
    if ctx.json:
        ctx.answer({"schema": "tightener.schema/1", "what": what, "definition": json.loads(schema_text(what))})
    else:
        sys.stdout.write(schema_text(what))


def init(ctx: Context, folder: Path) -> None:
    """tightener init"""
    found = [(one.path, one.left) for one in starter.start(folder)]
    if ctx.json:
        ctx.answer(setup.init_document(folder, found))
    elif not ctx.quiet:
        setup.init_words(ctx.words, folder, found)


def doctor(ctx: Context, now: datetime) -> int:
    """tightener doctor; its exit code is 1 where there is a problem."""
    try:
        config = ctx.config()
        found = checks.examine(config, ctx.database_of(config), now, os.environ)
    except TightenerError as error:
        found = [checks.failed("configuration", error)]
    rows = [(one.about, one.level.value, one.says, one.do) for one in found]
    if ctx.json:
        ctx.answer(setup.doctor_document(rows))
    else:
        setup.doctor_words(ctx.words, rows, quiet=ctx.quiet)
    return EXIT_ERROR if any(one.level is Level.PROBLEM for one in found) else EXIT_DONE
