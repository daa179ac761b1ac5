"""The `baseline` command: hierarchies by predictors that do not learn, in the files of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from pipelines.annotations import read_truth
from pipelines.baselines.blind import annotated_checksum, annotated_events
from pipelines.baselines.config import BaselineConfig
from pipelines.baselines.durations import are_durations, checksum, duration_inputs
from pipelines.baselines.predicting import BaselineTask
from pipelines.baselines.prediction import Annotated
from pipelines.baselines.scenes import require_scenedetect
from pipelines.baselines.workers import take_durations, watch_videos
from pipelines.closing import conclude, failing, video_rows
from pipelines.folder_lock import FolderLock
from pipelines.interruption import noticed_interrupt
from pipelines.library import LibraryReport, finished_videos
from pipelines.library_progress import LibraryProgress
from pipelines.opening import open_run
from pipelines.preparation import Inputs, prepare_inputs, stored_inputs
from pipelines.progress import ProgressDisplay, Totals
from pipelines.resumption import absolute_inputs, absolute_path, claim, tell_finished, tell_resumed
from pipelines.run_folder import RunFolder, RunState, VideoRow
from pipelines.tracking import Tracker, prepare_store
from streamer.config import require
from streamer.errors import ConfigError

DECODING_OPTIONS = ("workers", "decoder", "decode_timeout_s", "cache")
NOT_ANNOTATED = "not annotated, so that its true number of events is not known"


def baseline(config: BaselineConfig, console: Console) -> int:
    """Cuts all inputs by one predictor; or those that an earlier start left.

    Returns:
        Exit code, as for `segment`.

    Raises:
        StreamerError: what the user gave cannot be used; nothing has been written then.
    """
    if config.name == "scenes":
        require_scenedetect()
    folder = RunFolder(config.out)
    config = replace(
        config,
        inputs=absolute_inputs(config.inputs),
        truth=absolute_path(config.truth),
        cache=None if config.cache is None else str(Path(config.cache).absolute()),
    )
    durations = config.blind and are_durations(config.inputs)
    settings = config.settings()
    if durations:
        _refuse_decoding_options(config)
        settings["durations_crc32"] = checksum(config.inputs)
    if config.name == "uniform":
        assert config.truth is not None
        events = annotated_events(read_truth(config.truth), config.truth_level)
        settings["annotated_crc32"] = annotated_checksum(events)
    with FolderLock(folder.root) as lock:
        earlier = claim(folder, lock, "baseline", settings, fresh=config.fresh)
        if earlier is not None:
            if earlier["state"] == "finished" and earlier["videos"]["failed"] <= config.max_failed:
                return tell_finished(earlier, folder, config.max_failed, console)
            tell_resumed(earlier, folder, console)
        inputs = _inputs(config, folder, console, durations=durations, stored=earlier is not None)
        annotated: Annotated = {}
        if config.name == "uniform":
            assert inputs.truth is not None
            annotated = annotated_events(inputs.truth, config.truth_level)  # by the ids of the inputs
            inputs = _annotated_only(inputs, annotated)
        run = BaselineRun(config, settings, folder, inputs, console, earlier, lock, annotated)
        if earlier is not None and earlier["state"] == "finished" and not run.missing:
            return tell_finished(earlier, folder, config.max_failed, console)
        return run.run(durations=durations)


def _refuse_decoding_options(config: BaselineConfig) -> None:
    """Refuses options that have no effect where nothing is decoded."""
    defaults = {field.name: field.default for field in fields(config)}
    for option in DECODING_OPTIONS:
        require(
            getattr(config, option) == defaults[option],
            f"--{option} has no effect on tables of durations, of which nothing is decoded: leave it away",
        )


def _inputs(
    config: BaselineConfig, folder: RunFolder, console: Console, *, durations: bool, stored: bool
) -> Inputs:
    if durations:
        return duration_inputs(config.inputs, config.truth, console)
    if stored:
        inputs = stored_inputs(folder, config.inputs, config.truth, console)
    else:
        inputs = prepare_inputs(config.inputs, config.truth, config.snippet_size, console)
    if config.name == "scenes" and inputs.kind == "vectors":
        raise ConfigError(f"{inputs.videos[0].uri}: scenes looks at videos, not at vectors: name videos")
    return inputs


def _annotated_only(inputs: Inputs, annotated: Annotated) -> Inputs:
    """Leaves the other videos out, each with a reason."""
    entries = [
        replace(entry, status="skipped", reason=NOT_ANNOTATED)
        if entry.status == "ready" and entry.video_id not in annotated
        else entry
        for entry in inputs.entries
    ]
    return replace(inputs, entries=entries, videos=[entry for entry in entries if entry.status == "ready"])


class BaselineRun:
    """One run of a predictor, from the first file written to the last.

    Args:
        config: what is asked for.
        settings: the same as plain values, with what else determines the result.
        folder: the run.
        inputs: what it reads.
        console: where it tells how it goes.
        earlier: `run.json` of the run that goes on; None where it begins.
        lock: of the folder.
        annotated: what `uniform` is told.

    Attributes:
        missing: videos without a hierarchy; those that failed are tried again.
    """

    def __init__(
        self,
        config: BaselineConfig,
        settings: Mapping[str, Any],
        folder: RunFolder,
        inputs: Inputs,
        console: Console,
        earlier: Mapping[str, Any] | None,
        lock: FolderLock,
        annotated: Annotated,
    ) -> None:
        self._config = config
        self._settings = settings
        self._folder = folder
        self._inputs = inputs
        self._console = console
        self._earlier = earlier
        self._lock = lock
        metadata = {"streamer.config": json.dumps(settings), "streamer.model": config.name}
        self._task = BaselineTask(config, str(folder.root), metadata, annotated)
        self._totals = Totals(len(inputs.videos), inputs.expected_snippets(config.snippet_size))
        finished = finished_videos(folder, inputs.videos) if earlier else ()
        self._progress = LibraryProgress(self._totals, list(finished))
        self.missing = [video for video in inputs.videos if video.video_id not in self._progress.ended]

    def run(self, *, durations: bool) -> int:
        """Cuts, writes, scores and tells; see `baseline`.

        Args:
            durations: whether the inputs are nothing but durations.
        """
        with TemporaryDirectory() as scratch, ThreadPoolExecutor(1) as pool:
            preparing = pool.submit(prepare_store, self._folder, self._config.tracking_uri, Path(scratch))
            tracker, facts = self._open(preparing.result())
        with failing(self._folder, facts, self._rows, tracker):
            state = self._watch(tracker, facts, durations=durations)
        return conclude(
            state,
            folder=self._folder,
            facts={**facts, "totals": self._totals.facts()},
            rows=self._rows(),
            truth=self._inputs.truth,
            seed=0,
            max_failed=self._config.max_failed,
            tracker=tracker,
            console=self._console,
        )

    def _open(self, database: Path | None) -> tuple[Tracker, dict[str, Any]]:
        return open_run(
            "baseline",
            self._settings,
            self._folder,
            self._inputs,
            predictor=self._config.name,
            database=database,
            earlier=self._earlier,
            lock=self._lock,
            console=self._console,
        )

    def _rows(self) -> list[VideoRow]:
        return video_rows(self._inputs.entries, self._progress.ended.values(), self._folder)

    def _watch(self, tracker: Tracker, facts: Mapping[str, Any], *, durations: bool) -> RunState:
        """Runs the predictor to the end, or until somebody stops it."""
        with ProgressDisplay(self._console, self._config.name) as display, noticed_interrupt() as request:

            def receive(report: LibraryReport) -> None:
                self._progress.take(report)
                display.show(self._totals)
                if report.finished or self._progress.log_due():
                    tracker.log_metrics(self._totals.metrics(), step=self._totals.snippets)

            if durations:
                finished = take_durations(self.missing, self._task, receive=receive, interrupted=request)
            else:
                finished = watch_videos(
                    self.missing, self._task, self._config.workers, receive=receive, interrupted=request
                )
            if not finished:
                # Job managers wait for seconds only: what matters is written before anything else.
                self._folder.write_run(request.state, {**facts, "totals": self._totals.facts()})
                tracker.close("KILLED")
        return "finished" if finished else request.state
