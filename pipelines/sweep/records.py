"""What has become of each trial, as its folder and its process tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipelines.resumption import earlier_run
from pipelines.sweep.plan import Plan, Trial
from pipelines.sweep.scores import check_metric, read_scores
from pipelines.wording import counted

TrialState = Literal["pending", "running", "finished", "failed", "stopped"]
TAIL_BYTES = 4096  # of a log, in which its last line is looked for
LOG_FILE = "train.log"


@dataclass
class Record:
    """What has become of a trial.

    Attributes:
        trial: it.
        state: `pending` has not begun; `finished` is scored; `failed` has a reason; `stopped` goes on with
            the next start.
        reason: why it failed.
        metrics: its scores, by name.
        value: of the metric that ranks; None where it has none.
        duration_s: seconds that it ran, over all starts that saw it end or stop.
        run_id: its MLflow run.
        logged: bytes of its log that are of earlier starts.
    """

    trial: Trial
    state: TrialState = "pending"
    reason: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    value: float | None = None
    duration_s: float = 0.0
    run_id: str | None = None
    logged: int = 0

    @property
    def log(self) -> Path:
        """File with all that its trainings printed."""
        return self.trial.folder.root / LOG_FILE

    @property
    def facts(self) -> dict[str, Any] | None:
        """What `run.json` tells of its run; None where that has not begun."""
        run = self.trial.folder
        return run.read_run() if run.run_json.exists() else None

    @property
    def is_over(self) -> bool:
        """Whether its run has finished; one that has failed videos is not done again."""
        facts = self.facts
        return facts is not None and facts["state"] == "finished"


def recall(trial: Trial, plan: Plan, duration_s: float) -> Record:
    """What an earlier start of the sweep has left of a trial.

    Raises:
        RunFolderError: its folder holds a training with another configuration.
        SweepError: it was scored, and the metric that ranks is not among the scores.
    """
    record = Record(trial, duration_s=duration_s)
    if record.facts is None:
        return record
    facts = earlier_run(trial.folder, "train", asdict(trial.config))
    assert facts is not None, "there is a run.json"
    record.run_id = facts["mlflow"]["run_id"]
    record.state = "stopped"
    if facts["state"] == "finished":
        settle(record, plan, facts)
    return record


def settle(record: Record, plan: Plan, facts: Mapping[str, Any]) -> None:
    """Judges a trial whose run has finished.

    Args:
        record: of the trial; is changed.
        plan: of the sweep.
        facts: the run's `run.json`.

    Raises:
        SweepError: the metric that ranks is not among the scores.
    """
    failed, allowed = facts["videos"]["failed"], record.trial.config.max_failed
    scores = read_scores(record.trial.folder)
    if failed > allowed:
        # Its scores are means over other videos than those of trials that have them all.
        record.state = "failed"
        record.reason = f"{counted(failed, 'video')} failed; train.max_failed allows {allowed}"
    elif scores is None:
        record.state, record.reason = "failed", "not scored: no annotated video has a hierarchy"
    else:
        check_metric(plan, scores)
        record.state, record.reason = "finished", None
        record.metrics, record.value = scores.values, scores.values.get(plan.file.metric)


def ranked(records: Sequence[Record], mode: str) -> list[Record]:
    """Trials that have a value, the best first; of equals the earlier one."""
    sign = -1.0 if mode == "max" else 1.0
    rated = [(sign * record.value, record) for record in records if record.value is not None]
    return [record for _, record in sorted(rated, key=lambda pair: pair[0])]


def last_line(log: Path, start: int, prefix: str = "") -> str:
    """The last line of a log that begins so and is not empty; empty where there is none.

    Args:
        log: the file, which may be absent.
        start: bytes at its beginning that do not count.
        prefix: what the line begins with.
    """
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.startswith(prefix) and line.strip()), "")


def failure(record: Record, code: int | None) -> str:
    """Why a training has failed, by its log and its exit code."""
    told = last_line(record.log, record.logged, "error: ") or last_line(record.log, record.logged)
    if code is not None and code < 0:
        return f"its process was ended by signal {-code}"
    return told.removeprefix("error: ") or f"its process ended with {code}"
