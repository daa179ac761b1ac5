"""What a run needs before it starts: its inputs, the annotations beside them, the model that fits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.progress import Progress

from pipelines.annotations import Truth, read_truth, truth_beside
from pipelines.catalog import CatalogEntry, build_catalog
from pipelines.catalog_table import read_catalog
from pipelines.inputs import find_inputs, printable
from pipelines.manifest import CatalogError
from pipelines.recipes import adaptive_model
from pipelines.run_folder import RunFolder
from pipelines.wording import counted
from streamer.config import StreamerConfig
from streamer.errors import ConfigError, TruthError
from streamer.extractors import check_extractor, located

SHOWN = 5  # unreadable inputs named on the terminal; videos.parquet has them all


@dataclass(frozen=True)
class Inputs:
    """What a run reads.

    Attributes:
        entries: every input, also those that cannot be read.
        videos: those that can.
        truth: annotations of some of them.
    """

    entries: Sequence[CatalogEntry]
    videos: Sequence[CatalogEntry]
    truth: Truth | None

    @property
    def kind(self) -> str:
        """What the readable inputs are: `video` or `vectors`."""
        return self.videos[0].kind

    def expected_snippets(self, snippet_size: float) -> float:
        """Number of snippets, as far as the containers tell."""
        return sum(video.duration_s or 0.0 for video in self.videos) / snippet_size


def prepare_inputs(inputs: Sequence[str], truth: str | None, snippet_size: float, console: Console) -> Inputs:
    """Finds and probes all inputs and reads the annotations.

    Raises:
        CatalogError: nothing was found, nothing can be read, or videos are mixed with vectors.
        TruthError: the annotations cannot be read, or do not fit the inputs (see `Truth.for_videos`).
    """
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("looking at inputs", total=None)
        catalog = build_catalog(
            inputs,
            snippet_size=snippet_size,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    return _settle(catalog.entries, catalog.ignored, inputs, truth, console)


def stored_inputs(folder: RunFolder, inputs: Sequence[str], truth: str | None, console: Console) -> Inputs:
    """The inputs of a run that goes on, as they were found when it began; tells what has come since.

    Raises:
        CatalogError: the run's catalog cannot be read, or an input is not there any more.
        TruthError: as for `prepare_inputs`.
    """
    entries = read_catalog(folder.catalog)
    known = {entry.uri for entry in entries}
    new = sum(printable(source.uri) not in known for source in find_inputs(inputs).sources)
    if new:
        console.print(
            f"{counted(new, 'input')} came after this run had begun and will not be part of it",
            style="yellow",
            highlight=False,
        )
    return _settle(entries, 0, inputs, truth, console)


def _settle(
    entries: Sequence[CatalogEntry],
    ignored: int,
    inputs: Sequence[str],
    truth: str | None,
    console: Console,
) -> Inputs:
    """Tells what was found, refuses what makes no run, and reads the annotations."""
    videos = [entry for entry in entries if entry.status == "ready"]
    _tell(console, entries, ignored)
    if not videos:
        first = entries[0]
        raise CatalogError(
            f"none of {len(entries)} inputs can be read: {first.uri}: {first.reason}"
            + (" (the others are named above)" if len(entries) > 1 else "")
        )
    kinds = sorted({video.kind for video in videos})
    if len(kinds) > 1:
        raise CatalogError(
            f"the inputs hold both {' and '.join(kinds)}: a run takes one kind, name one of them"
        )
    path = truth_beside(inputs) if truth is None else truth
    annotations = read_truth(path) if path is not None else None
    if annotations is not None:
        try:
            annotations = annotations.for_videos([entry.video_id for entry in entries])
        except TruthError as error:
            hint = "" if truth is not None else " (found in the input folder; name another with --truth)"
            raise TruthError(f"{error}{hint}") from error
        console.print(
            f"{counted(len(annotations.videos), 'annotated video')} in {path}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
        for note in annotations.notes:
            console.print(f"  {note}", style="yellow", highlight=False, soft_wrap=True, markup=False)
    return Inputs(entries, videos, annotations)


def with_located_features(model: StreamerConfig) -> StreamerConfig:
    """The model with features whose name means the same in every folder."""
    return model if model.features is None else replace(model, features=located(model.features))


def check_features(model: StreamerConfig) -> None:
    """Makes sure that the frozen features of frames can be computed, where the model takes some.

    Raises:
        FeatureError: they cannot; the error says why.
    """
    if model.features is not None:
        check_extractor(model.features, model.feature_dim, model.frame_size)


def fit_model(model: StreamerConfig, inputs: Inputs) -> StreamerConfig:
    """The model for what was found: `.npy` arrays make it one of vectors, as they are.

    Raises:
        ConfigError: the model was configured for vectors and the inputs are videos, or vectors have
            another width than the model, or features of frames are asked for where there are none.
    """
    if inputs.kind == "video":
        if model.modality == "vectors":
            raise ConfigError(
                "model.modality is `vectors`, but the inputs are videos: remove it, or name .npy files"
            )
        return model
    if model.features not in (None, adaptive_model().features):  # which no recipe names
        raise ConfigError(
            f"model.features {model.features} has no effect on vectors, which are taken as they are: "
            "remove it, or name videos"
        )
    for entry in inputs.videos:
        if entry.dim != model.feature_dim:
            raise ConfigError(
                f"{entry.uri}: vectors of {entry.dim} numbers, but model.feature_dim is {model.feature_dim}: "
                f"pass --model.feature_dim {entry.dim}, or other files"
            )
    return replace(model, modality="vectors", features=None)


def _tell(console: Console, entries: Sequence[CatalogEntry], ignored: int) -> None:
    unreadable = [entry for entry in entries if entry.status != "ready"]
    minutes = sum(entry.duration_s or 0.0 for entry in entries if entry.status == "ready") / 60
    line = f"{counted(len(entries) - len(unreadable), 'readable input')}, {minutes:.1f} minutes"
    if unreadable:
        line += f"; {len(unreadable)} unreadable"
    if ignored:
        line += f"; {counted(ignored, 'other file')} ignored"
    console.print(line, highlight=False)
    for entry in unreadable[:SHOWN]:
        console.print(
            f"  {entry.status}: {entry.uri}: {entry.reason}", highlight=False, soft_wrap=True, markup=False
        )
    if len(unreadable) > SHOWN:
        console.print(f"  and {len(unreadable) - SHOWN} more; all are in videos.parquet", highlight=False)
