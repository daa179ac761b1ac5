"""The runs that a report shows, as their folders tell of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.annotations import truth_beside
from pipelines.evaluation.predictors import own_predictor
from pipelines.evaluation.scores import scored_truth
from pipelines.run_folder import RunFolder
from streamer.config import StreamerConfig, config_from_dict
from streamer.errors import ConfigError


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        name: what it is called on the pages.
        folder: where it lies.
        facts: its `run.json`.
        rows: rows of its `videos.parquet`, by video_id.
    """

    name: str
    folder: RunFolder
    facts: Mapping[str, Any]
    rows: Mapping[str, Mapping[str, Any]]

    @property
    def predictor(self) -> str:
        """The name under which its hierarchies were scored."""
        return own_predictor(self.folder, self.facts)

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration of its command; empty where `run.json` holds none."""
        config = self.facts.get("config")
        return config if isinstance(config, Mapping) else {}

    @property
    def model(self) -> StreamerConfig | None:
        """The configuration of its model; None where there is none, or none that this version knows."""
        model = self.config.get("model")
        if not isinstance(model, Mapping):
            return None
        try:
            return config_from_dict(StreamerConfig, model)
        except (ConfigError, TypeError):
            return None  # of another version; what follows from it is left out then


def read_runs(paths: Sequence[str]) -> list[Run]:
    """Reads the runs in these folders.

    Raises:
        RunFolderError: a folder holds no run, or none whose videos are known, or one of a predictor without
            a name that could be shown.
        ConfigError: both are the same.
    """
    folders = [RunFolder(path) for path in paths]
    if len({folder.root.resolve() for folder in folders}) < len(folders):
        raise ConfigError(f"{folders[0].root}: was named twice: name another run beside it")
    names = _names([folder.root for folder in folders])
    runs = []
    for name, folder in zip(names, folders, strict=True):
        facts = folder.read_run()
        own_predictor(folder, facts)  # one that names no predictor is refused before anything is written
        runs.append(Run(name, folder, facts, {row["video_id"]: row for row in folder.read_videos()}))
    return runs


def truth_of(run: Run) -> Path | None:
    """The annotations that a run was scored against, was given, or that lie in one of its input folders."""
    scored = scored_truth(run.folder)
    if scored is not None:
        return scored
    named = run.config.get("truth")
    if isinstance(named, str):
        return Path(named)
    inputs = run.config.get("inputs")
    return truth_beside(inputs or ())


def _names(roots: Sequence[Path]) -> list[str]:
    """The last parts of the paths, as many as tell them apart."""
    depth = 2  # as in MLflow
    while len({root.parts[-depth:] for root in roots}) < len(roots):
        depth += 1
    return ["/".join(root.parts[-depth:]) for root in roots]
