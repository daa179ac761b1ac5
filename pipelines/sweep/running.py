"""One start of a sweep: opens it, runs what is missing, ranks, writes and tells."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pipelines.folder_lock import FolderLock
from pipelines.interruption import INTERRUPTED, STOPPED, StopRequest, noticed_interrupt
from pipelines.run_folder import RunFolder, RunState, software
from pipelines.sweep.display import SweepDisplay, clock, render
from pipelines.sweep.folder import SweepFolder, asked
from pipelines.sweep.launching import prepare_launch, training_environment, trial_session
from pipelines.sweep.plan import Plan, SweepError
from pipelines.sweep.records import Record, failure, ranked, settle
from pipelines.sweep.tracking import SweepTracker
from pipelines.tracking import prepare_store
from pipelines.wording import counted

if TYPE_CHECKING:
    from pipelines.sweep.tuning import TrialEvent

# Exit codes of a training that was asked to stop: it was not begun any more, did not listen yet, or saved
# where it was.
STOP_CODES = (None, -signal.SIGTERM, STOPPED)


class SweepRun:
    """One start of a sweep, from the first file written to the last.

    Args:
        plan: what it does.
        folder: where.
        records: what has become of its trials so far.
        console: where it tells how it goes.
        earlier: `sweep.json` of the sweep that goes on; None where it begins.
        lock: of the folder; is held from the moment the folder exists.

    Attributes:
        missing: trials that are to be trained; those that failed are tried again.
    """

    def __init__(
        self,
        plan: Plan,
        folder: SweepFolder,
        records: Sequence[Record],
        console: Console,
        earlier: Mapping[str, Any] | None,
        lock: FolderLock,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._records = records
        self._console = console
        self._earlier = earlier
        self._lock = lock
        self._refusal: SweepError | None = None
        self.missing = [record for record in records if not record.is_over]

    def run(self) -> int:
        """Trains, ranks, writes and tells; see `sweep`."""
        state: RunState = "finished"
        uri = self._plan.trials[0].config.tracking_uri
        with TemporaryDirectory() as scratch, ThreadPoolExecutor(1) as pool:
            # A fresh SQLite store takes seconds to make; Ray starts meanwhile.
            preparing = pool.submit(prepare_store, RunFolder(self._folder.root), uri, Path(scratch))
            if uri or os.environ.get("MLFLOW_TRACKING_URI"):
                preparing.result()  # another store tells at once whether it can be used
            with trial_session(self._plan, [record.trial for record in self.missing]):
                tracking, facts = self._open(preparing.result())
                with self._failing(tracking, facts):
                    if self.missing:
                        state = self._tune(tracking, facts)
                    if self._refusal is not None:
                        raise self._refusal
        return self._conclude(state, tracking, facts)

    def _open(self, database: Path | None) -> tuple[SweepTracker, dict[str, Any]]:
        """Makes the folder, free of an earlier sweep, and records what the sweep will do."""
        earlier, folder = self._earlier, self._folder
        going_on = earlier["mlflow"]["run_id"] if earlier else None
        tracking = SweepTracker(self._plan, folder, database=database, going_on=going_on)
        if earlier is None and folder.state.exists():  # and was asked to start over
            folder.clear()
            self._print(f"removed from {folder.root}: the sweep that was there, with its trials")
        folder.create()
        folder.success.unlink(missing_ok=True)
        self._lock.hold()
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        facts = {
            "command": "sweep",
            "file": str(Path(self._plan.path).absolute()),
            "config": asdict(self._plan.file),
            "asked": asked(self._plan),
            "software": software(),
            "started": earlier["started"] if earlier else now,
            "resumed": [*earlier.get("resumed", []), now] if earlier else [],
            "mlflow": {"uri": tracking.uri, "run_id": tracking.run_id},
        }
        folder.write("running", facts, self._records, self._best)
        return tracking, facts

    @property
    def _best(self) -> Record | None:
        best = ranked(self._records, self._plan.file.mode)
        return best[0] if best else None

    @contextmanager
    def _failing(self, tracking: SweepTracker, facts: Mapping[str, Any]) -> Iterator[None]:
        """Where the block raises, leaves the sweep marked as failed."""
        try:
            yield
        except BaseException:
            self._folder.write("failed", facts, self._records, self._best)
            tracking.close("FAILED")
            raise

    def _tune(self, tracking: SweepTracker, facts: Mapping[str, Any]) -> RunState:
        """Runs the missing trials to the end, or until somebody stops them; returns how that ended."""
        from pipelines.sweep.tuning import tune_trials  # imports Ray, whose environment is set by now

        environment = training_environment(tracking.uri)
        launches = {record.trial.number: prepare_launch(record, environment) for record in self.missing}
        with SweepDisplay(self._console, self._plan) as display, noticed_interrupt() as request:

            def receive(event: TrialEvent) -> None:
                self._take(event, request, display)
                adopt(self._records[event.number - 1])
                self._folder.write("running", facts, self._records, self._best)
                tracking.log(self._records)

            def adopt(record: Record) -> None:
                if complaint := tracking.adopt(record):
                    display.tell(record.trial, complaint)

            def look() -> None:
                for record in self._records:
                    if record.state == "running":
                        adopt(record)
                display.show(self._records)

            def stopping() -> None:
                # Job managers wait for seconds only: what matters is written before anything else.
                self._folder.write(request.state, facts, self._records, self._best)
                tracking.close("KILLED")
                display.say(f"{request.state}: trials save where they are")

            for record in self._records:  # of earlier starts
                adopt(record)
            tune_trials(
                launches,
                concurrent=self._plan.file.concurrent,
                storage=self._folder.tune,
                receive=receive,
                look=look,
                interrupted=request,
                stopping=stopping,
            )
        left = any(record.state in ("pending", "stopped") for record in self._records)
        return request.state if left else "finished"

    def _take(self, event: TrialEvent, request: StopRequest, display: SweepDisplay) -> None:
        """Takes note of what happened to a trial."""
        record = self._records[event.number - 1]
        begun = record.facts
        if event.kind == "started":
            record.state = "running"
            display.tell(record.trial, "starts" if begun is None else "goes on")
            return
        record.duration_s += event.seconds
        if begun is not None and begun["state"] == "finished":
            try:
                settle(record, self._plan, begun)
            except SweepError as error:  # it would be no different for the others
                record.state, self._refusal = "stopped", error
                request.set()
                return
        elif request.is_set() and event.code in STOP_CODES:
            record.state = "stopped" if begun else "pending"
        else:
            record.state = "failed"
            record.reason = event.reason or failure(record, event.code)
        display.tell(record.trial, self._said(record))

    def _said(self, record: Record) -> str:
        if record.state == "failed":
            return f"failed: {record.reason}"
        if record.state != "finished":
            return "stopped, the same command goes on with it"
        value = "undefined" if record.value is None else f"{record.value:.4f}"
        best = ", the best so far" if record is self._best else ""
        return f"{self._plan.file.metric} {value} after {clock(record.duration_s)}{best}"

    def _conclude(self, state: RunState, tracking: SweepTracker, facts: Mapping[str, Any]) -> int:
        """Writes what the sweep has found, and tells it."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._folder.write(state, {**facts, "ended": now}, self._records, self._best)
        if self._best is not None:
            tracking.name_best(self._best)
        tracking.log_file(self._folder.table)
        if state != "finished":
            tracking.close("KILLED")
            self._show()
            over = sum(record.is_over for record in self._records)
            self._print(
                f"{state}; {counted(over, 'trial')} of {len(self._records)} done; the same command goes on"
            )
            return INTERRUPTED if state == "interrupted" else STOPPED
        tracking.close()
        return self.tell(tracking.directions)

    def tell(self, directions: str | None = None) -> int:
        """Tells what a finished sweep has found; returns the exit code.

        Args:
            directions: how to look at it in MLflow.
        """
        self._show()
        lines = {"trials": str(self._folder.table)}
        if self._best is not None:
            best = self._best.trial.folder.root
            lines |= {"best": str(best), "its model": f"streamer segment VIDEOS --model {best} --out OUT"}
        if directions is not None:
            lines["MLflow"] = directions
        for name, line in lines.items():
            self._print(f"{name:12s} {line}")
        failed = sum(record.state == "failed" for record in self._records)
        allowed = self._plan.file.max_failed
        if failed > allowed:
            self._print(f"{counted(failed, 'trial')} failed; max_failed allows {allowed}", style="red")
            return 1
        self._folder.success.touch()
        return 0

    def _show(self) -> None:
        self._console.print(render(self._records, self._plan))

    def _print(self, line: str, style: str | None = None) -> None:
        self._console.print(line, style=style, soft_wrap=True, markup=False, highlight=False)
