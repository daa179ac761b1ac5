"""The `train` command: from inputs to hierarchies, scores and a tracked run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from pipelines.checkpoints import remove_all
from pipelines.closing import conclude, failing, video_rows
from pipelines.collapse import CollapseWatch
from pipelines.config import TrainConfig
from pipelines.folder_lock import FolderLock
from pipelines.interruption import noticed_interrupt
from pipelines.logged_model import log_model
from pipelines.opening import open_run
from pipelines.preparation import (
    Inputs,
    check_features,
    fit_model,
    prepare_inputs,
    stored_inputs,
    with_located_features,
)
from pipelines.progress import ProgressDisplay, Totals
from pipelines.resumption import (
    absolute_inputs,
    absolute_path,
    claim,
    tell_finished,
    tell_resumed,
)
from pipelines.run_folder import RunFolder, RunState, VideoRow, checkpoint_of
from pipelines.session import DECODE_CPUS, ray_session
from pipelines.tracking import Tracker, prepare_store
from streamer import checkpoint
from streamer.config import config_difference
from streamer.errors import CheckpointError


def train(config: TrainConfig, console: Console) -> int:
    """Runs a training from start to end, or on from where it was ended before.

    Returns:
        Exit code: 0, 1 where more videos failed than allowed, 130 after Ctrl-C, 143 after SIGTERM.

    Raises:
        StreamerError: what the user gave cannot be used; nothing has been written then.
    """
    folder = RunFolder(config.out)
    config = replace(
        config,
        inputs=absolute_inputs(config.inputs),
        truth=absolute_path(config.truth),
        init=_absolute_init(config.init),
        model=with_located_features(config.model),
    )
    with FolderLock(folder.root) as lock:
        earlier = claim(folder, lock, "train", asdict(config), fresh=config.fresh)
        if earlier is not None and earlier["state"] == "finished":
            return tell_finished(earlier, folder, config.max_failed, console)
        if earlier is not None:
            tell_resumed(earlier, folder, console)
            inputs = stored_inputs(folder, config.inputs, config.truth, console)
        else:
            inputs = prepare_inputs(config.inputs, config.truth, config.model.snippet_size, console)
        config = replace(config, model=fit_model(config.model, inputs))
        _check_init(config)
        check_features(config.model)
        return TrainingRun(config, folder, inputs, console, earlier, lock).run()


def _absolute_init(init: str | None) -> str | None:
    return None if init is None else str(checkpoint_of(init))


def _check_init(config: TrainConfig) -> None:
    """Makes sure that the model to start from fits."""
    if config.init is None:
        return
    stored = checkpoint.read(config.init)["config"]
    # What learning does may change between runs; what the parameters mean may not.
    fixed = {key: value for key, value in config.model.to_dict().items() if key != "learning"}
    differing = config_difference({key: stored.get(key) for key in fixed}, fixed)
    if differing:
        raise CheckpointError(
            f"{config.init}: was trained with another configuration; these differ: {', '.join(differing)}: "
            "give the same values, or another --init"
        )


class TrainingRun:
    """One training, from the first file written to the last.

    Args:
        config: what is asked for.
        folder: the run.
        inputs: what it reads.
        console: where it tells how it goes.
        earlier: `run.json` of the run that goes on; None where it begins.
        lock: of the folder; is held from the moment the folder exists.
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: RunFolder,
        inputs: Inputs,
        console: Console,
        earlier: Mapping[str, Any] | None,
        lock: FolderLock,
    ) -> None:
        self._earlier = earlier
        self._lock = lock
        self._config = config
        self._folder = folder
        self._inputs = inputs
        self._console = console
        expected = inputs.expected_snippets(config.model.snippet_size)
        self._totals = Totals(len(inputs.videos), expected)

    def run(self) -> int:
        """Trains, writes, scores and tells; see `train`."""
        config = self._config
        gpus = config.workers if config.device == "cuda" else 0
        with TemporaryDirectory() as scratch, ThreadPoolExecutor(1) as pool:
            # A fresh SQLite store takes seconds to make; Ray starts meanwhile.
            preparing = pool.submit(prepare_store, self._folder, config.tracking_uri, Path(scratch))
            if config.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI"):
                preparing.result()  # another store tells at once whether it can be used
            with ray_session(config.workers, config.lanes * config.decoders * DECODE_CPUS, gpus):
                tracker, facts = self._open(preparing.result())
                with failing(self._folder, facts, self._rows, tracker):
                    state, findings = self._fit(tracker, facts)
                    if state == "finished":
                        log_model(tracker, self._folder.final_checkpoint)
        code = conclude(
            state,
            folder=self._folder,
            facts={**facts, **findings},
            rows=self._rows(),
            truth=self._inputs.truth,
            seed=config.seed,
            max_failed=config.max_failed,
            tracker=tracker,
            console=self._console,
        )
        if state == "finished":  # until here, the same command goes on from the last of them
            remove_all(self._folder.checkpoints)
        return code

    def _open(self, database: Path | None) -> tuple[Tracker, dict[str, Any]]:
        return open_run(
            "train",
            asdict(self._config),
            self._folder,
            self._inputs,
            database=database,
            earlier=self._earlier,
            lock=self._lock,
            console=self._console,
        )

    def _rows(self) -> list[VideoRow]:
        return video_rows(self._inputs.entries, self._totals.ended, self._folder)

    def _fit(self, tracker: Tracker, facts: Mapping[str, Any]) -> tuple[RunState, dict[str, Any]]:
        """Runs the workers to the end, or until somebody stops them.

        Returns:
            How it ended, and what `run.json` tells of it.
        """
        from pipelines.fitting import fit_workers  # imports Ray, whose environment is set by now
        from pipelines.worker import WorkerTask

        config = self._config
        task = WorkerTask(
            model=config.model,
            seed=config.seed,
            precision=config.precision,
            lanes=config.lanes,
            init=config.init,
            entries=list(self._inputs.videos),
            decoder=config.decoder,
            decoders=config.decoders,
            decode_timeout_s=config.decode_timeout_s,
            cache=None if config.cache is None else str(Path(config.cache).absolute()),
            sync=config.sync,
            sync_every=config.sync_every,
            checkpoint_every_s=config.checkpoint_every_s,
            out=str(self._folder.root),
            metadata={
                "streamer.config": json.dumps(asdict(config)),
                "streamer.model": f"train:{tracker.run_id}",
            },
            signals=config.signals,
        )
        watch = CollapseWatch()
        with ProgressDisplay(self._console, "training") as display:

            def receive(reports: list[dict[str, Any]]) -> None:
                self._totals.add(reports)
                display.show(self._totals)
                for warning in watch.look(self._totals.spreads, self._totals.steps):
                    display.say(warning)
                tracker.log_metrics(self._totals.metrics(), step=self._totals.snippets)

            with noticed_interrupt() as request:

                def stopping() -> None:
                    # Job managers wait for seconds only: what matters is written before anything else.
                    self._folder.write_run(request.state, {**facts, "totals": self._totals.facts()})
                    tracker.close("KILLED")
                    display.say(f"{request.state}: saving where the run is")

                result = fit_workers(
                    task,
                    config.workers,
                    use_gpu=_use_gpu(config),
                    folder=self._folder,
                    receive=receive,
                    tell=display.say,
                    interrupted=request,
                    stopping=stopping,
                )
        if result["stopped"]:
            return request.state, {"totals": self._totals.facts()}
        assert len(set(result["checksums"])) == 1, f"replicas differ: {result['checksums']}"
        return "finished", {"parameters_crc32": result["checksums"][0], "totals": self._totals.facts()}


def _use_gpu(config: TrainConfig) -> bool:
    import ray

    if config.device == "auto":
        return ray.cluster_resources().get("GPU", 0) >= config.workers
    return config.device == "cuda"
