"""What MLflow is told about every run, by whatever command: the same tags, so that they can be searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from urllib.parse import unquote, urlsplit

from pipelines.manifest import is_url
from pipelines.wording import counted

COMMAND = "streamer.command"
PREDICTOR = "streamer.predictor"
FOLDER = "streamer.folder"
DATASET = "streamer.dataset"
VERSION = "streamer.version"
DESCRIPTION = "mlflow.note.content"
LONGEST = 7000  # characters of a tag; MLflow takes 8000


def run_tags(
    command: str,
    *,
    predictor: str,
    folder: PurePath,
    inputs: Sequence[str],
    software: Mapping[str, str | None],
    description: str,
) -> dict[str, str]:
    """Tags of a run.

    Args:
        command: what was run: `train`, `segment`, `baseline`, `evaluate` or `compare`.
        predictor: what made the hierarchies.
        folder: where they lie.
        inputs: what was read, as it was named.
        software: versions, as `pipelines.run_folder.software` gives them.
        description: Markdown that MLflow shows on top of the run's page.
    """
    tags = {
        COMMAND: command,
        PREDICTOR: predictor,
        FOLDER: str(folder),
        DATASET: dataset_name(inputs),
        VERSION: software.get("streamer-ray"),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": software.get("revision"),
        DESCRIPTION: description,
    }
    return {name: value[:LONGEST] for name, value in tags.items() if value}


def dataset_name(inputs: Sequence[str]) -> str:
    """A short name for what a run reads: the end of the first input's path, and how many more there are."""
    if not inputs:
        return ""
    path = unquote(urlsplit(inputs[0]).path) if is_url(inputs[0]) else inputs[0]
    name = PurePath(path).name or inputs[0]
    return name if len(inputs) == 1 else f"{name} and {counted(len(inputs) - 1, 'more input')}"
