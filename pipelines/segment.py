"""The `segment` command: hierarchies of many recordings by a model that has learned."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pipelines.closing import conclude, failing, video_rows
from pipelines.config import SegmentConfig
from pipelines.folder_lock import FolderLock
from pipelines.interruption import noticed_interrupt
from pipelines.library import LibraryReport, finished_videos, write_shelf
from pipelines.library_progress import LibraryProgress
from pipelines.opening import open_run
from pipelines.preparation import Inputs, check_features, prepare_inputs, stored_inputs
from pipelines.progress import ProgressDisplay, Totals
from pipelines.resumption import absolute_inputs, absolute_path, claim, tell_finished, tell_resumed
from pipelines.run_folder import RunFolder, RunFolderError, RunState, VideoRow, checkpoint_of
from pipelines.session import DECODE_CPUS, WORKER_CPUS, ray_session
from pipelines.tracking import Tracker, prepare_store
from streamer.config import StreamerConfig
from streamer.errors import CheckpointError
from streamer.segmentation import StoredModel

if TYPE_CHECKING:
    from pipelines.segmenter import SegmenterTask, Workers


def segment(config: SegmentConfig, console: Console) -> int:
    """Segments all inputs, several at a time on several workers; or those that an earlier start left.

    Returns:
        Exit code, as for `train`.

    Raises:
        StreamerError: what the user gave cannot be used; nothing has been written then.
    """
    folder = RunFolder(config.out)
    config = replace(config, inputs=absolute_inputs(config.inputs), truth=absolute_path(config.truth))
    with FolderLock(folder.root) as lock:
        path = checkpoint_of(config.model)
        if path.is_relative_to(folder.root):
            raise RunFolderError(f"{folder.root}: holds the model {path}: choose another --out")
        model = check_model(path, adaptive=config.adaptive, timescales=config.asked_timescales)
        settings = {
            **asdict(config),
            "model": model.to_dict(),
            "checkpoint": str(path),
            "checkpoint_crc32": _checksum(path),
        }
        earlier = claim(folder, lock, "segment", settings, fresh=config.fresh)
        if earlier is None:
            inputs = prepare_inputs(config.inputs, config.truth, model.snippet_size, console)
        elif earlier["state"] == "finished" and earlier["videos"]["failed"] <= config.max_failed:
            return tell_finished(earlier, folder, config.max_failed, console)
        else:
            tell_resumed(earlier, folder, console)
            inputs = stored_inputs(folder, config.inputs, config.truth, console)
        _check_inputs(path, model, inputs)
        check_features(model)
        run = SegmentationRun(config, settings, folder, inputs, console, earlier, lock)
        if earlier is not None and earlier["state"] == "finished" and not run.missing:
            return tell_finished(earlier, folder, config.max_failed, console)
        return run.run()


def check_model(path: Path, *, adaptive: bool, timescales: tuple[float, ...] | None = None) -> StreamerConfig:
    """Makes sure that a checkpoint can be used, and tells what its model is.

    Raises:
        CheckpointError: it cannot be read, or its model cannot learn although it shall.
        ConfigError: the timescales do not fit the model.
    """
    stored = StoredModel(path, timescales=timescales)
    return (stored.learning() if adaptive else stored.frozen()).config


def _check_inputs(path: Path, model: StreamerConfig, inputs: Inputs) -> None:
    """Makes sure that a model takes what was found.

    Raises:
        CheckpointError: it does not.
    """
    remedy = "give other inputs, or another --model"
    if (inputs.kind == "vectors") != (model.modality == "vectors"):
        kind = "vectors" if inputs.kind == "vectors" else "videos"
        raise CheckpointError(
            f"{path}: the model takes {model.modality}, but the inputs are {kind}: {remedy}"
        )
    for entry in inputs.videos:
        if entry.dim is not None and entry.dim != model.feature_dim:
            raise CheckpointError(
                f"{entry.uri}: vectors of {entry.dim} numbers, but the model takes {model.feature_dim}: "
                f"{remedy}"
            )


class SegmentationRun:
    """One segmentation, from the first file written to the last.

    Args:
        config: what is asked for.
        settings: the same as plain values, with what the model is.
        folder: the run.
        inputs: what it reads.
        console: where it tells how it goes.
        earlier: `run.json` of the run that goes on; None where it begins.
        lock: of the folder.

    Attributes:
        missing: videos without a hierarchy; those that failed are tried again.
    """

    def __init__(
        self,
        config: SegmentConfig,
        settings: Mapping[str, Any],
        folder: RunFolder,
        inputs: Inputs,
        console: Console,
        earlier: Mapping[str, Any] | None,
        lock: FolderLock,
    ) -> None:
        self._config = config
        self._settings = settings
        self._folder = folder
        self._inputs = inputs
        self._console = console
        self._earlier = earlier
        self._lock = lock
        expected = inputs.expected_snippets(settings["model"]["snippet_size"])
        self._totals = Totals(len(inputs.videos), expected)
        finished = finished_videos(folder, inputs.videos) if earlier else ()
        self._progress = LibraryProgress(self._totals, list(finished))
        self.missing = [video for video in inputs.videos if video.video_id not in self._progress.ended]

    def run(self) -> int:
        """Segments, writes, scores and tells; see `segment`."""
        config = self._config
        gpus = math.ceil(config.workers * _gpus_asked(config))
        cpus = config.cpus_per_worker + config.lanes * config.decoders * DECODE_CPUS
        with TemporaryDirectory() as scratch, ThreadPoolExecutor(1) as pool:
            # A fresh SQLite store takes seconds to make; Ray starts meanwhile.
            preparing = pool.submit(prepare_store, self._folder, config.tracking_uri, Path(scratch))
            with ray_session(config.workers, cpus - WORKER_CPUS, gpus):
                tracker, facts = self._open(preparing.result())
                with failing(self._folder, facts, self._rows, tracker):
                    state = self._segment(tracker, facts, Path(scratch) / "shelf.parquet")
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

    def _open(self, database: Path | None) -> tuple[Tracker, dict[str, Any]]:
        return open_run(
            "segment",
            self._settings,
            self._folder,
            self._inputs,
            database=database,
            earlier=self._earlier,
            lock=self._lock,
            console=self._console,
        )

    def _rows(self) -> list[VideoRow]:
        return video_rows(self._inputs.entries, self._progress.ended.values(), self._folder)

    def _segment(self, tracker: Tracker, facts: Mapping[str, Any], shelf: Path) -> RunState:
        """Runs the workers to the end, or until somebody stops them."""
        from pipelines.segmenter import segment_videos  # imports Ray, whose environment is set by now

        if not self.missing:
            self._progress.take(LibraryReport(0, [], True, None))
            return "finished"
        write_shelf(shelf, self.missing)
        workers = self._workers()
        with ProgressDisplay(self._console, "segmenting") as display, noticed_interrupt() as request:

            def receive(report: LibraryReport) -> None:
                self._progress.take(report)
                display.show(self._totals)
                if report.finished or self._progress.log_due():
                    tracker.log_metrics(self._totals.metrics(), step=self._totals.snippets)

            def stopping() -> None:
                # Job managers wait for seconds only: what matters is written before anything else.
                self._folder.write_run(request.state, {**facts, "totals": self._totals.facts()})
                tracker.close("KILLED")
                display.say(f"{request.state}: ending")

            finished = segment_videos(
                self._task(workers),
                str(shelf),
                workers,
                receive=receive,
                interrupted=request,
                stopping=stopping,
            )
        return "finished" if finished else request.state

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
        cache = None if config.cache is None else str(Path(config.cache).absolute())
        checkpoint = self._settings["checkpoint"]
        return SegmenterTask(
            checkpoint=checkpoint,
            device=device,
            precision=config.precision,
            timescales=config.asked_timescales,
            lanes=config.lanes,
            adaptive=config.adaptive,
            decoder=config.decoder,
            decoding=DecodingSettings(config.decoders, config.decode_timeout_s, cache),
            out=str(self._folder.root),
            metadata={"streamer.config": json.dumps(self._settings), "streamer.model": checkpoint},
            signals=config.signals,
        )


def _gpus_asked(config: SegmentConfig) -> float:
    """GPUs that each worker must hold, as far as the configuration tells."""
    if config.gpus_per_worker is not None:
        return config.gpus_per_worker
    return 1.0 if config.device == "cuda" else 0.0


def _checksum(path: Path) -> int:
    """Tells models apart whose files have the same name."""
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(2**20):
            checksum = zlib.crc32(block, checksum)
    return checksum
