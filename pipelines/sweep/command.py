"""The `sweep` command: every setting of a space in a training of its own, ranked by a metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from pipelines.folder_lock import FolderLock
from pipelines.preparation import fit_model, prepare_inputs
from pipelines.sweep.config import SweepConfig
from pipelines.sweep.folder import SweepFolder, asked
from pipelines.sweep.plan import Plan, SweepError, naming, read_plan
from pipelines.sweep.records import Record, recall
from pipelines.sweep.running import SweepRun


def sweep(config: SweepConfig, console: Console) -> int:
    """Runs a sweep from start to end, or on from where it was ended before.

    Returns:
        Exit code: 0, 1 where more trials failed than allowed, 130 after Ctrl-C, 143 after SIGTERM.

    Raises:
        StreamerError: what the user gave cannot be used. Nothing has been written then, unless it is the name
            of the metric, which is known when the first trial has been scored.
    """
    plan = read_plan(config.file)
    folder = SweepFolder(plan.file.out)
    with FolderLock(folder.root) as lock:
        folder.earlier(plan, fresh=config.fresh)
        if folder.state.exists():
            lock.hold()
        earlier = folder.earlier(plan, fresh=config.fresh)  # again: now it stays as it is
        if earlier is None:
            records = [Record(trial) for trial in plan.trials]
        else:
            durations = {row["name"]: row["duration_s"] for row in earlier["trials"]}
            records = [recall(trial, plan, durations.get(trial.name, 0.0)) for trial in plan.trials]
        run = SweepRun(plan, folder, records, console, earlier, lock)
        if run.missing:
            check_inputs(plan, console)
        elif earlier is not None and _is_done(earlier, plan):
            return run.tell()
        return run.run()


def _is_done(earlier: Mapping[str, Any], plan: Plan) -> bool:
    """Whether a sweep has finished with the same trials, and ranked them as it shall."""
    ranking = {"metric": plan.file.metric, "mode": plan.file.mode}
    return (
        earlier["state"] == "finished"
        and earlier["asked"] == asked(plan)
        and ranking.items() <= earlier["config"].items()
    )


def check_inputs(plan: Plan, console: Console) -> None:
    """Makes sure that trials can be trained on their inputs, and scored.

    Raises:
        StreamerError: there are no inputs, no annotations, or a trial's model does not fit the inputs.
    """
    first = plan.trials[0].config
    inputs = prepare_inputs(first.inputs, first.truth, first.model.snippet_size, console)
    if inputs.truth is None:
        raise SweepError(
            f"{plan.path}: no annotations to rank trials by: name them as train.truth, or put a truth.csv "
            "into an input folder"
        )
    for trial in plan.trials:
        with naming(f"{plan.path}: trial {trial.number}"):
            fit_model(trial.config.model, inputs)
