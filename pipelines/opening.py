"""The start of a run: its folder, its MLflow run, and what both say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pipelines.preparation import Inputs
from pipelines.run_folder import RunFolder, software
from pipelines.tracking import Tracker


def open_run(
    command: str,
    config: Mapping[str, Any],
    folder: RunFolder,
    inputs: Inputs,
    *,
    database: Path | None = None,
) -> tuple[Tracker, dict[str, Any]]:
    """Makes the folder and records what the run is about to do.

    Args:
        command: `train` or `segment`.
        config: its configuration, as plain values.
        folder: the run.
        inputs: what it reads.
        database: what `prepare_store` returned.

    Returns:
        The MLflow run, and the facts that `run.json` holds from now on.

    Raises:
        TrackingError: the store or server cannot be used; nothing has been written then.
        RunFolderError: the folder cannot be made.
    """
    tracker = Tracker(
        folder,
        config["experiment"],
        "/".join(folder.root.parts[-2:]),
        config["tracking_uri"],
        source=f"streamer {command}",
        database=database,
    )
    folder.create()
    facts: dict[str, Any] = {
        "command": command,
        "config": dict(config),
        "seed": config.get("seed"),
        "software": software(),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "mlflow": {"uri": tracker.uri, "run_id": tracker.run_id},
    }
    folder.write_run("running", facts)
    tracker.log_params({**config, "videos": len(inputs.videos)})
    rows = [asdict(entry) for entry in inputs.entries]
    tracker.log_dataset(rows, ", ".join(config["inputs"]), "inputs", command)
    return tracker, facts
