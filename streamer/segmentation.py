"""Events of one recording by a model that has learned."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from streamer.errors import CheckpointError, ConfigError, TruncatedVideoError, VideoError
from streamer.hierarchy import Hierarchy
from streamer.lane import Signal
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
    try:
        model.offer(np.stack(row))
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
