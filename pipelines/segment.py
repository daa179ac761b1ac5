"""The `segment` command: hierarchies of many recordings by a model that has learned."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from rich.console import Console

from pipelines.catalog import CatalogEntry
from pipelines.closing import conclude, failing, video_rows
from pipelines.config import SegmentConfig
from pipelines.interruption import noticed_interrupt
from pipelines.opening import open_run
from pipelines.preparation import Inputs, fit_model, prepare_inputs
from pipelines.progress import ProgressDisplay, Totals
from pipelines.run_folder import RunFolder, RunState, VideoRow, checkpoint_of
from pipelines.snippets import VideoEnd
from pipelines.store import HierarchyStore
from streamer import checkpoint
from streamer.config import Precision
from streamer.errors import CheckpointError, VideoError
from streamer.release import is_release_checkpoint, load_release_checkpoint
from streamer.segmentation import segment_recording
from streamer.streamer import Streamer


def segment(config: SegmentConfig, console: Console) -> int:
    """Segments all inputs in this process, one after the other.

    Returns:
        Exit code, as for `train`.

    Raises:
        StreamerError: what the user gave cannot be used; nothing has been written then.
    """
    folder = RunFolder(config.out)
    folder.check_free()
    path = checkpoint_of(config.model)
    model = load_model(path, config.device, config.precision)
    inputs = prepare_inputs(config.inputs, config.truth, model.config.snippet_size, console)
    if fit_model(model.config, inputs) != model.config:
        raise CheckpointError(
            f"{path}: the model takes {model.config.modality}, the inputs are {inputs.kind}: "
            "give other inputs, or another --model"
        )
    settings = {**asdict(config), "model": model.config.to_dict(), "checkpoint": str(path)}
    tracker, facts = open_run("segment", settings, folder, inputs)
    metadata = {"streamer.config": json.dumps(settings), "streamer.model": str(path)}
    store = HierarchyStore(folder, metadata, signals=config.signals)
    totals = Totals(len(inputs.videos), inputs.expected_snippets(model.config.snippet_size))

    def rows() -> list[VideoRow]:
        return video_rows(inputs.entries, totals.ended, folder)

    with failing(folder, facts, rows, tracker):
        state = _segment_all(config, inputs, model, store, totals, console)
    return conclude(
        state,
        folder=folder,
        facts={**facts, "totals": totals.facts()},
        rows=rows(),
        truth=inputs.truth,
        seed=0,
        max_failed=config.max_failed,
        tracker=tracker,
        console=console,
    )


def load_model(path: Path, device: str, precision: Precision | None = None) -> Streamer:
    """Reads a checkpoint of this project or of the published release.

    Raises:
        CheckpointError: it is neither.
    """
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if is_release_checkpoint(path):
        return load_release_checkpoint(path, device=chosen, precision=precision or "float32")
    return checkpoint.load(path, device=chosen, precision=precision)


def _segment_all(
    config: SegmentConfig,
    inputs: Inputs,
    model: Streamer,
    store: HierarchyStore,
    totals: Totals,
    console: Console,
) -> RunState:
    """Goes through the readable inputs; Ctrl-C ends it between two snippets."""
    with ProgressDisplay(console, "segmenting") as display, noticed_interrupt() as interrupted:

        def progress(snippets: int) -> None:
            totals.see(snippets)
            display.show(totals)
            if interrupted.is_set():
                raise KeyboardInterrupt

        try:
            for entry in inputs.videos:
                totals.add_video(_segment_one(entry, model, config, store, progress), len(model.levels))
                display.show(totals)
        except KeyboardInterrupt:
            return "interrupted"
    return "finished"


def _segment_one(
    entry: CatalogEntry,
    model: Streamer,
    config: SegmentConfig,
    store: HierarchyStore,
    progress: Callable[[int], None],
) -> tuple[VideoEnd, list[int]]:
    """Segments one recording.

    Returns:
        How it ended, and its events per level.
    """
    try:
        hierarchy, signals, warning = segment_recording(
            entry.uri,
            model,
            video_id=entry.video_id,
            start_s=entry.start_s,
            end_s=entry.end_s,
            decoder=config.decoder,
            progress=progress,
        )
    except VideoError as error:
        return VideoEnd(entry.video_id, model.lanes[0].index, error.time_s or 0.0, "failed", error.detail), []
    store.write(hierarchy, signals)
    end = VideoEnd(entry.video_id, hierarchy.snippets, hierarchy.duration_s, "done", warning)
    return end, [len(events) for events in hierarchy.levels]
