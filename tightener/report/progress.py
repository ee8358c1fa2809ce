"""Progress of long work: a bar with records per second on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from tightener.logs.staging import Progress

_LINE_EVERY = 5.0  # seconds between plain lines


def progress_printer(stream: TextIO, *, shown: bool) -> Callable[[Progress], None]:
    """A function that shows each step. The clock is only used to pace it and to give rows per second."""
    if not shown:
        return lambda _: None
    started = time.monotonic()
    last = started
    on_terminal = stream.isatty()

    def show(step: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        done = step.files_done == step.files_total  # never, where the total is not known (0)
        rate = step.records / (now - started) if now > started else 0.0
        of = f"/{step.files_total}" if step.files_total else ""
        text = f"{step.files_done}{of} files, {step.records:,} records, {rate:,.0f} records/s"
        if on_terminal:
            share = step.bytes_done / step.bytes_total if step.files_total and step.bytes_total else float(done)
            bar = "#" * round(20 * share)
            stream.write(f"\r[{bar:<20}] {text}\x1b[K" + ("\n" if done else ""))
            stream.flush()
        elif done or now - last >= _LINE_EVERY:
            last = now
            stream.write(f"reading: {text}\n")
            stream.flush()

    return show
