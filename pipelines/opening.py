"""The start of a run: its folder, its MLflow run, and what both say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines.catalog_table import write_catalog
from pipelines.evaluation.predictors import STREAMER
from pipelines.folder_lock import FolderLock
from pipelines.preparation import Inputs
from pipelines.resumption import tell_removed
from pipelines.run_folder import RunFolder, software
from pipelines.run_tags import dataset_name, run_tags
from pipelines.tracking import Tracker
from pipelines.wording import counted


def open_run(
    command: str,
    config: Mapping[str, Any],
    folder: RunFolder,
    inputs: Inputs,
    *,
    predictor: str | None = None,
    database: Path | None = None,
    earlier: Mapping[str, Any] | None = None,
    lock: FolderLock,
    console: Console,
) -> tuple[Tracker, dict[str, Any]]:
    """Makes the folder, free of an earlier run where that was asked for, and records what the run will do.

    Args:
        command: `train`, `segment` or `baseline`.
        config: its configuration, as plain values.
        folder: the run.
        inputs: what it reads.
        predictor: what scores call the one that cuts; None for the model.
        database: what `prepare_store` returned.
        earlier: `run.json` of the run that goes on, whose MLflow run goes on too.
        lock: of the folder.
        console: is told what was removed.

    Returns:
        The MLflow run, and the facts that `run.json` holds from now on.

    Raises:
        TrackingError: the store or server cannot be used; nothing has been written then.
        RunFolderError: the folder cannot be made.
    """
    tracked = earlier["mlflow"] if earlier else {}
    tracker = Tracker(
        folder,
        config["experiment"],
        "/".join(folder.root.parts[-2:]),
        config["tracking_uri"],
        source=f"streamer {command}",
        database=database,
        going_on=tracked.get("run_id"),
        tags=run_tags(
            command,
            predictor=predictor or STREAMER,
            folder=folder.root,
            inputs=config["inputs"],
            software=software(),
            description=_description(command, folder, inputs),
        ),
    )
    if config["fresh"]:  # now that nothing is in the way of the new run
        tell_removed(folder.clear(), folder, console)
    folder.create()
    lock.hold()
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    facts: dict[str, Any] = {
        "command": command,
        **({} if predictor is None else {"predictor": predictor}),
        "config": dict(config),
        "seed": config.get("seed"),
        "software": software(),
        "started": earlier["started"] if earlier else now,
        "resumed": [*earlier.get("resumed", []), now] if earlier else [],
        "mlflow": {"uri": tracker.uri, "run_id": tracker.run_id},
    }
    folder.success.unlink(missing_ok=True)
    write_catalog(folder.catalog, inputs.entries)
    folder.write_run("running", facts)
    if tracker.goes_on:
        tracker.set_tag("streamer.resumed", str(len(facts["resumed"])))
        return tracker, facts
    tracker.log_params({**config, "videos": len(inputs.videos)})
    rows = [asdict(entry) for entry in inputs.entries]
    tracker.log_dataset(rows, ", ".join(config["inputs"]), dataset_name(config["inputs"]), command)
    return tracker, facts


def _description(command: str, folder: RunFolder, inputs: Inputs) -> str:
    """What MLflow shows on top of the run's page."""
    return f"`streamer {command}` of {counted(len(inputs.videos), 'video')} into `{folder.root}`"
