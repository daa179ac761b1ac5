"""Events of recordings by a model that has learned."""

from __future__ import annotations

import copy
import dataclasses
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from streamer import checkpoint
from streamer.config import DemarcationConfig, Precision, StreamerConfig, config_from_dict, require
from streamer.errors import CheckpointError, ConfigError, TruncatedVideoError, VideoError
from streamer.extractors import open_extractor
from streamer.hierarchy import Hierarchy
from streamer.release import is_release_checkpoint, load_release_checkpoint
from streamer.signals import Signal
from streamer.sources import Decoder, is_vectors, open_source, path_of
from streamer.streamer import Streamer


def segment(
    uri: str, model: Streamer, *, video_id: str | None = None, decoder: Decoder = "pyav"
) -> Hierarchy:
    """Cuts a video, or a `.npy` array of features `[n, D]`, into a hierarchy of events.

    Args:
        uri: file or http(s) address.
        model: as `streamer.load` gives it; one that trains goes on learning.
        video_id: name in the hierarchy; by default the file's name without suffix.
        decoder: which library decodes video.

    Raises:
        VideoError: the recording cannot be read, or breaks in the middle. One that merely ends early gives
            the hierarchy up to there and a warning.
        CheckpointError: the model takes vectors and the recording is a video, or the other way round.
        ConfigError: the model takes vectors of another width.
        FeatureError: the model takes features of frames, and these cannot be computed.
    """
    name = video_id or path_of(uri).stem
    hierarchy, _, warning = segment_recording(uri, model, video_id=name, decoder=decoder)
    if warning is not None:
        warnings.warn(f"{uri}: {warning}", stacklevel=2)
    return hierarchy


def segment_recording(
    uri: str,
    model: Streamer,
    *,
    video_id: str,
    start_s: float = 0.0,
    end_s: float | None = None,
    decoder: Decoder = "pyav",
    progress: Callable[[int], None] | None = None,
) -> tuple[Hierarchy, list[Signal], str | None]:
    """Like `segment`, for a part of a recording.

    Args:
        uri: file or http(s) address.
        model: as for `segment`.
        video_id: name in the hierarchy.
        start_s: where to begin, in seconds after the first frame.
        end_s: where to end; None for the end of the recording.
        decoder: which library decodes video.
        progress: called after every snippet with how many have been observed.

    Returns:
        The hierarchy, all signals, and what was wrong with the file (None where nothing was).
    """
    modality = "vectors" if is_vectors(uri) else "frames"
    if modality != model.config.modality:
        raise CheckpointError(f"{uri}: the model takes {model.config.modality}, this file holds {modality}")
    signals: list[Signal] = []
    warning: str | None = None
    model.start_video()
    source = open_source(
        uri,
        snippet_size=model.config.snippet_size,
        frame_size=model.config.frame_size,
        start_s=start_s,
        end_s=end_s,
        decoder=decoder,
    )
    row: list[np.ndarray] = []
    with source:
        try:
            for snippet in source:
                row.append(snippet)
                if len(row) == model.schedule.encode_ahead:
                    signals += _observe(row, model, uri, progress)
                    row = []
        except TruncatedVideoError as error:
            warning = error.detail
        except VideoError:
            _observe(row, model, uri, progress)  # so that it is known how far the file was good
            raise
        signals += _observe(row, model, uri, progress)
        if model.lanes[0].index == 0:
            raise VideoError(uri, warning or "holds no snippet")
        return model.end_video(source.duration_s, video_id), signals, warning


def _observe(
    row: Sequence[np.ndarray], model: Streamer, uri: str, progress: Callable[[int], None] | None
) -> list[Signal]:
    """Lets the model's first lane observe snippets that have been decoded together."""
    if not row:
        return []
    data, config = np.stack(row), model.config
    if config.features is not None:
        data = open_extractor(config.features, config.feature_dim)(data, model.lanes[0].index)
    try:
        model.offer(data)
    except ConfigError as error:
        raise ConfigError(f"{uri}: {error}") from error
    signals: list[Signal] = []
    for _ in row:
        signals += model.advance()[0]
        if model.learner is not None:
            model.barrier()
        if progress is not None:
            progress(model.lanes[0].index)
    return signals


class StoredModel:
    """A checkpoint of this project or of the published release; makes models that begin as it says.

    They begin with the first snippet of a video; what the checkpoint knows of videos in the middle is left
    out.

    Args:
        path: the file, which is read once.
        device: where the models compute.
        precision: as for `Streamer`; by default the one in which the checkpoint's model computed.
        timescales: lengths of events in seconds, one per level, instead of those of the checkpoint's model.

    Raises:
        CheckpointError: the file cannot be read, or is no checkpoint.
    """

    def __init__(
        self,
        path: str | Path,
        device: torch.device | str = "cpu",
        precision: Precision | None = None,
        timescales: tuple[float, ...] | None = None,
    ) -> None:
        self._path = path
        self._timescales = timescales
        self._device = device
        self._precision: Precision | None = precision
        self._content = None if is_release_checkpoint(path) else _beginning(checkpoint.read(path))

    def frozen(self, lanes: int = 1) -> Streamer:
        """A model that does not learn.

        Raises:
            CheckpointError: the checkpoint's parts do not fit each other.
            ConfigError: the timescales do not fit the model.
        """
        if self._content is not None:
            return self._make(lanes, train=False)
        if self._timescales is not None:
            raise ConfigError(
                f"{self._path}: the published release's models have thresholds that do not follow "
                "timescales: leave them away, or give a model of this project"
            )
        precision = self._precision or "float32"
        return load_release_checkpoint(self._path, lanes=lanes, device=self._device, precision=precision)

    def learning(self) -> Streamer:
        """A model with one lane that goes on learning, with the checkpoint's parameters and Adam's state.

        Gradients are summed, and inputs and losses counted, from zero.

        Raises:
            CheckpointError: the checkpoint holds no learner, or its parts do not fit each other.
            ConfigError: the timescales do not fit the model.
        """
        if self._content is None or self._content.get("learner") is None:
            raise CheckpointError(
                f"{self._path}: holds no learner to go on with: use it frozen, or give another checkpoint"
            )
        model = self._make(1, train=True)
        assert model.learner is not None
        model.inputs.clear()
        model.learner.losses.clear()
        return model

    def _make(self, lanes: int, *, train: bool) -> Streamer:
        assert self._content is not None
        content = self._content
        try:
            config = config_from_dict(StreamerConfig, content["config"])
        except ConfigError as error:
            raise CheckpointError(
                f"{self._path}: was written with another version's configuration: {error}"
            ) from error
        if self._timescales is not None:
            config = timed(config, self._timescales)
        stored: Precision = content["precision"]
        model = Streamer(
            config,
            lanes=lanes,
            seed=content["seed"],
            train=train,
            device=self._device,
            precision=self._precision or stored,
        )
        if train:  # the optimiser would go on in the very tensors that it is given
            content = {**content, "learner": copy.deepcopy(content["learner"])}
        checkpoint.restore(model, content, self._path, running=False)
        return model


def _beginning(content: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint without its videos in the middle, past losses and sums of gradients, which take memory."""
    learner = content.get("learner")
    if isinstance(learner, dict):
        learner = {name: value for name, value in learner.items() if name not in ("gradients", "counters")}
    return {**content, "learner": learner, "rehearsal": None, "running": None}


def timed(model: StreamerConfig, timescales: tuple[float, ...]) -> StreamerConfig:
    """The same model for events of other lengths; merged levels are as many as these.

    Raises:
        ConfigError: its thresholds do not follow, or it has learned another number of levels.
    """
    require(
        model.demarcation.adaptive,
        "timescales: thresholds of this model do not follow (model.demarcation.mode is "
        f"`{model.demarcation.mode}`): train one in mode `deviation`, `quantile` or `peak`",
    )
    require(
        model.upper_levels == "merged" or len(timescales) == model.max_levels,
        f"timescales: {len(timescales)} named, but this model has {model.max_levels} levels: give as many",
    )
    default = DemarcationConfig()
    rule = dataclasses.replace(model.demarcation, deviations=default.deviations, share=default.share)
    levels = len(timescales) if model.upper_levels == "merged" else model.max_levels
    return dataclasses.replace(model, demarcation=rule, timescales=timescales, max_levels=levels, prices=None)
