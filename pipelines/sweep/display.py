"""What a sweep shows: a line whenever something happens to a trial, and a table of all, the best first."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipelines.sweep.plan import Plan, Trial, describe_settings, describe_value, short_names
from pipelines.sweep.records import Record, last_line, ranked

LIVE_ROWS = 12  # of trials that have ended
PROGRESS_WIDTH = 48


class SweepDisplay:
    """Shows how trials go: lines, and on a terminal a live table too.

    Args:
        console: where.
        plan: of the sweep.
    """

    def __init__(self, console: Console, plan: Plan) -> None:
        self._console = console
        self._plan = plan
        self._live = Live(console=console, transient=True, auto_refresh=False)

    def __enter__(self) -> SweepDisplay:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        """Shows a line that stays."""
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    def tell(self, trial: Trial, what: str) -> None:
        """Says what happened to a trial."""
        told = describe_settings(trial.settings, short_names(list(trial.settings)))
        self.say(f"trial {trial.number} of {len(self._plan.trials)}, {told}: {what}")

    def show(self, records: Sequence[Record]) -> None:
        """Shows all trials as they are now."""
        if self._live.is_started:
            self._live.update(render(records, self._plan, rows=LIVE_ROWS), refresh=True)


def render(records: Sequence[Record], plan: Plan, rows: int | None = None) -> Table:
    """A table of trials: those with a value, best first, then those that run, then those that failed.

    Args:
        records: all trials.
        plan: of the sweep.
        rows: at most as many of those that have ended; None for all.
    """
    words = short_names(list(plan.trials[0].settings))
    table = Table(box=box.SIMPLE_HEAD, title=_title(records), title_justify="left", title_style="")
    table.add_column("trial", justify="right")
    for name in words.values():
        table.add_column(Text(name))
    table.add_column(Text(plan.file.metric), justify="right")
    table.add_column("time", justify="right")
    table.add_column("")
    best = ranked(records, plan.file.mode)
    valueless = [record for record in records if record.state == "finished" and record.value is None]
    failed = [record for record in records if record.state == "failed"]
    running = [record for record in records if record.state == "running"]
    for record in [*best[:rows], *running, *[*valueless, *failed][:rows]]:
        cells = [describe_value(value) for value in record.trial.settings.values()]
        value = "" if record.value is None else f"{record.value:.4f}"
        table.add_row(
            str(record.trial.number),
            *map(Text, cells),
            value,
            clock(record.duration_s) if record.duration_s else "",
            Text(_remark(record, record is (best or [None])[0])),
            style="bold" if best and record is best[0] else None,
        )
    return table


def _title(records: Sequence[Record]) -> str:
    states = [record.state for record in records]
    counts = {state: states.count(state) for state in dict.fromkeys(states)}
    return f"{len(records)} trials: " + ", ".join(f"{count} {state}" for state, count in counts.items())


def _remark(record: Record, is_best: bool) -> str:
    if record.state == "running":
        return last_line(record.log, record.logged).removeprefix("training: ")[:PROGRESS_WIDTH]
    if record.state == "finished" and record.value is None:
        return "undefined"
    return "best" if is_best else (record.reason or "")


def clock(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
