"""Cuts between shots, as PySceneDetect finds them at full frame rate.

Frames come from this project's own decoders, so that times count from the first frame as everywhere here, and
a file that hangs or crashes FFmpeg costs itself.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.baselines.config import BaselineConfig, Detector
from pipelines.baselines.prediction import Prediction, WatchedVideo
from pipelines.decoder_process import PartEnd, Request
from pipelines.decoding import decode_patiently
from streamer.errors import StreamerError, VideoError

FRAME_SIZE = 128  # height and width; the detectors take means over pixels
SCORES: Mapping[Detector, str] = {"content": "content_val", "adaptive": "adaptive_ratio (w=2)"}
"""What PySceneDetect calls the number that each detector holds against its threshold."""


class MissingExtraError(StreamerError):
    """A package that only an extra of this project installs."""


def require_scenedetect() -> None:
    """Makes sure that PySceneDetect is there.

    Raises:
        MissingExtraError: it is not.
    """
    if importlib.util.find_spec("scenedetect") is None:
        raise MissingExtraError(
            "scenes needs PySceneDetect, which is not installed: pip install 'streamer-ray[scenes]'"
        )


@dataclass(frozen=True)
class Cut:
    """A cut between two shots.

    Attributes:
        frame: number of the first frame after it.
        score: what the detector held against its threshold there.
    """

    frame: int
    score: float


def predict_scenes(video: WatchedVideo, config: BaselineConfig) -> Prediction:
    """Level 0 has all cuts; every further level, for a wanted mean length, the strongest of them.

    A level holds as many of the strongest cuts as the wanted mean length asks for, which is what a higher
    threshold leaves; all of them where it asks for more.

    Args:
        video: to be decoded once more, at full frame rate.
        config: the detector, and the wanted lengths.

    Raises:
        VideoError: the frames cannot be read, or their rate is not known.
    """
    assert config.lengths is not None
    assert config.detector is not None
    entry = video.entry
    if not entry.fps:
        raise VideoError(entry.uri, "its frame rate is not known, which scenes need; re-encode the file")
    cuts: list[Cut] = []
    if video.duration_s * entry.fps >= 2:  # frames
        frames = _frames(_request(video, entry.fps, config), config.decode_timeout_s)
        cuts = find_cuts(frames, entry.fps, config.detector)
    cuts = [cut for cut in cuts if 0 < cut.frame / entry.fps < video.duration_s]
    kept = [len(cuts), *(video.events_of(length) - 1 for length in config.lengths)]
    return Prediction([[cut.frame / entry.fps for cut in strongest(cuts, count)] for count in kept])


def find_cuts(frames: Iterable[np.ndarray], fps: float, detector: Detector) -> list[Cut]:
    """Runs PySceneDetect with its own defaults.

    Args:
        frames: uint8 RGB [H, W, 3], in order.
        fps: frames per second.
        detector: which of its detectors.
    """
    from scenedetect.common import FrameTimecode
    from scenedetect.detectors import AdaptiveDetector, ContentDetector
    from scenedetect.stats_manager import StatsManager

    class FrameScores(StatsManager):
        """Keeps the one number per frame that is needed."""

        def __init__(self) -> None:
            super().__init__()
            self.scores: dict[int, float] = {}

        def set_metrics(self, timecode: Any, metric_kv_dict: Mapping[str, float]) -> None:
            if SCORES[detector] in metric_kv_dict:
                self.scores[timecode.frame_num] = metric_kv_dict[SCORES[detector]]

    search = AdaptiveDetector() if detector == "adaptive" else ContentDetector()
    stats = search.stats_manager = FrameScores()
    found, time = [], FrameTimecode(0, fps)
    for number, frame in enumerate(frames):
        time = FrameTimecode(number, fps)
        found += search.process_frame(time, np.ascontiguousarray(frame[..., ::-1]))  # it takes BGR
    found += search.post_process(time)
    return [Cut(cut.frame_num, stats.scores[cut.frame_num]) for cut in found]


def strongest(cuts: list[Cut], count: int) -> list[Cut]:
    """The cuts with the highest scores, in order of time; of equal ones the earlier."""
    ranked = sorted(cuts, key=lambda cut: (-cut.score, cut.frame))[:count]
    return sorted(ranked, key=lambda cut: cut.frame)


def _request(video: WatchedVideo, fps: float, config: BaselineConfig) -> Request:
    """A snippet for every frame, taken in the middle of the time that it is on screen."""
    entry = video.entry
    return Request(
        uri=entry.uri,
        dtype="uint8",
        snippet_size=1 / fps,
        frame_size=FRAME_SIZE,
        start_s=entry.start_s + 0.5 / fps,
        end_s=entry.end_s,
        decoder=config.decoder,
    )


def _frames(request: Request, timeout_s: float) -> Iterator[np.ndarray]:
    """All frames, uint8 [H, W, 3]; those of a file that was cut short up to there.

    Raises:
        VideoError: the file broke, or its decoder was lost twice.
    """
    for item in decode_patiently(request, timeout_s):
        if not isinstance(item, PartEnd):
            yield np.frombuffer(item, np.uint8).reshape(FRAME_SIZE, FRAME_SIZE, 3)
        elif item.failed:
            raise VideoError(request.uri, f"at full frame rate: {item.reason}")
