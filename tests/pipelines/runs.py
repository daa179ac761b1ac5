"""What every finished run must hold, read the way a user would read it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from pipelines.run_folder import RunFolder
from streamer.hierarchy import Hierarchy, validate_table


def hierarchies(folder: RunFolder) -> dict[str, Hierarchy]:
    """All hierarchies of a run, each validated."""
    found = {}
    for path in sorted(folder.hierarchy.iterdir()):
        validate_table(pq.ParquetFile(path).read())
        hierarchy = Hierarchy.from_parquet(path)
        found[hierarchy.video_id] = hierarchy
    return found


def table(hierarchy: Hierarchy) -> list[Mapping[str, Any]]:
    """The events as plain values, without the metadata."""
    return hierarchy.to_arrow().to_pylist()


def statuses(folder: RunFolder) -> dict[str, str]:
    """Status of every input."""
    return {row["video_id"]: row["status"] for row in folder.read_videos()}


def check_run(folder: RunFolder, state: str = "finished") -> dict[str, Any]:
    """Asserts what holds for every run that ended; returns `run.json`."""
    run = folder.read_run()
    rows = folder.read_videos()
    assert run["state"] == state
    counts = {
        status: sum(row["status"] == status for row in rows) for status in ("done", "failed", "skipped")
    }
    assert run["videos"] == counts
    assert sum(counts.values()) == len(rows)
    assert all(row["reason"] for row in rows if row["status"] != "done")
    found = hierarchies(folder)
    assert set(found) == {row["video_id"] for row in rows if row["status"] == "done"}
    for row in rows:
        if row["status"] == "done":
            assert found[row["video_id"]].snippets == row["snippets"]
            assert found[row["video_id"]].duration_s == row["duration_s"]
    assert list(folder.root.rglob("*.tmp*")) == []
    return run


def tracked(folder: RunFolder) -> tuple[MlflowClient, Run]:
    """The MLflow run that `run.json` names."""
    place = folder.read_run()["mlflow"]
    client = MlflowClient(tracking_uri=place["uri"])
    return client, client.get_run(place["run_id"])


def artifacts(client: MlflowClient, run: Run, path: str | None = None) -> set[str]:
    """Paths of a run's artifacts."""
    found = set()
    for item in client.list_artifacts(run.info.run_id, path):
        found |= artifacts(client, run, item.path) if item.is_dir else {item.path}
    return found


def files(folder: Path) -> list[Path]:
    """Every file below a folder that may be absent."""
    return [path for path in folder.rglob("*") if path.is_file()]
