"""The `segment` command: hierarchies of many recordings by a model that has learned."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.closing import conclude, failing, video_rows
from pipelines.config import SegmentConfig
from pipelines.interruption import noticed_interrupt
from pipelines.library import LibraryReport, write_catalog
from pipelines.opening import open_run
from pipelines.preparation import Inputs, fit_model, prepare_inputs
from pipelines.progress import ProgressDisplay, Totals
from pipelines.run_folder import RunFolder, RunState, VideoRow, checkpoint_of
from pipelines.session import WORKER_CPUS, ray_session
from streamer.config import StreamerConfig
from streamer.errors import CheckpointError
from streamer.segmentation import StoredModel

if TYPE_CHECKING:
    from pipelines.segmenter import SegmenterTask, Workers

DECODE_CPUS = 0.5


def segment(config: SegmentConfig, console: Console) -> int:
    """Segments all inputs, several at a time on several workers.

    Returns:
        Exit code, as for `train`.

    Raises:
        StreamerError: what the user gave cannot be used; nothing has been written then.
    """
    folder = RunFolder(config.out)
    folder.check_free()
    path = checkpoint_of(config.model)
    model = check_model(path, adaptive=config.adaptive)
    inputs = prepare_inputs(config.inputs, config.truth, model.snippet_size, console)
    if fit_model(model, inputs) != model:
        raise CheckpointError(
            f"{path}: the model takes {model.modality}, the inputs are {inputs.kind}: "
            "give other inputs, or another --model"
        )
    return SegmentationRun(config, path, model, folder, inputs, console).run()


def check_model(path: Path, *, adaptive: bool) -> StreamerConfig:
    """Makes sure that a checkpoint can be used, and tells what its model is.

    Raises:
        CheckpointError: it cannot be read, or its model cannot learn although it shall.
    """
    stored = StoredModel(path)
    return (stored.learning() if adaptive else stored.frozen()).config


class SegmentationRun:
    """One segmentation, from the first file written to the last."""

    def __init__(
        self,
        config: SegmentConfig,
        checkpoint: Path,
        model: StreamerConfig,
        folder: RunFolder,
        inputs: Inputs,
        console: Console,
    ) -> None:
        self._config = config
        self._checkpoint = checkpoint
        self._settings = {**asdict(config), "model": model.to_dict(), "checkpoint": str(checkpoint)}
        self._folder = folder
        self._inputs = inputs
        self._console = console
        self._totals = Totals(len(inputs.videos), inputs.expected_snippets(model.snippet_size))

    def run(self) -> int:
        """Segments, writes, scores and tells; see `segment`."""
        config = self._config
        cpus = config.cpus_per_worker + config.lanes * config.decoders * DECODE_CPUS
        with ray_session(config.workers, cpus - WORKER_CPUS, math.ceil(config.workers * _gpus_asked(config))):
            tracker, facts = open_run("segment", self._settings, self._folder, self._inputs)
            with failing(self._folder, facts, self._rows, tracker):
                state = self._segment()
        return conclude(
            state,
            folder=self._folder,
            facts={**facts, "totals": self._totals.facts()},
            rows=self._rows(),
            truth=self._inputs.truth,
            seed=0,
            max_failed=config.max_failed,
            tracker=tracker,
            console=self._console,
        )

    def _rows(self) -> list[VideoRow]:
        return video_rows(self._inputs.entries, self._totals.ended, self._folder)

    def _segment(self) -> RunState:
        """Runs the workers to the end, or to Ctrl-C."""
        from pipelines.segmenter import segment_videos  # imports Ray, whose environment is set by now

        workers = self._workers()
        with (
            TemporaryDirectory() as scratch,
            ProgressDisplay(self._console, "segmenting") as display,
            noticed_interrupt() as interrupted,
        ):
            catalog = Path(scratch) / "catalog.parquet"
            write_catalog(catalog, self._inputs.videos)

            def receive(report: LibraryReport) -> None:
                for video in report.ended:
                    levels = max(self._totals.num_levels, len(video.events))
                    self._totals.add_video((video.end, video.events), levels)
                self._totals.see(report.running)
                display.show(self._totals)

            finished = segment_videos(
                self._task(workers), str(catalog), workers, receive=receive, interrupted=interrupted
            )
        return "finished" if finished else "interrupted"

    def _workers(self) -> Workers:
        """What each worker holds of the cluster."""
        import ray

        from pipelines.segmenter import Workers

        config = self._config
        gpus = _gpus_asked(config)
        if config.device == "auto" and config.gpus_per_worker is None:
            gpus = float(ray.cluster_resources().get("GPU", 0) >= config.workers)
        return Workers(config.workers, config.cpus_per_worker, gpus)

    def _task(self, workers: Workers) -> SegmenterTask:
        from pipelines.decoding import DecodingSettings
        from pipelines.segmenter import SegmenterTask

        config = self._config
        device = config.device
        if device == "auto":
            device = "cuda" if workers.gpus else "cpu"
        return SegmenterTask(
            checkpoint=str(self._checkpoint),
            device=device,
            precision=config.precision,
            lanes=config.lanes,
            adaptive=config.adaptive,
            decoder=config.decoder,
            decoding=DecodingSettings(config.decoders, config.decode_timeout_s, config.cache),
            out=str(self._folder.root),
            metadata={
                "streamer.config": json.dumps(self._settings),
                "streamer.model": str(self._checkpoint),
            },
            signals=config.signals,
        )


def _gpus_asked(config: SegmentConfig) -> float:
    """GPUs that each worker must hold, as far as the configuration tells."""
    if config.gpus_per_worker is not None:
        return config.gpus_per_worker
    return 1.0 if config.device == "cuda" else 0.0
