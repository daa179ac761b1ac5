"""Runs the lanes of a model, and holds what they gave against the definition in `tests/plain`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from streamer.config import StreamerConfig
from streamer.hierarchy import Event
from streamer.schedule import Schedule
from streamer.signals import Signal
from streamer.streamer import Streamer
from tests.oracle_cases import fill
from tests.plain.shared_lanes import Seen, SharedLanes, Video
from tests.plain.streamer import PlainStreamer
from tests.streamer.tiny import vectors

TOLERANCE = 1e-8
SIZE = 16  # of frames, in pixels
# Per lane, the length of each video and where it is dropped.
Lengths = list[list[tuple[int, int | None]]]


def snippets(modality: str, n: int, seed: int) -> torch.Tensor:
    return vectors(n, seed) if modality == "vectors" else fill.images(n, SIZE, seed)


def make_streams(modality: str, lengths: Lengths, seed: int = 0) -> list[list[Video]]:
    return [
        [
            Video(snippets(modality, length, seed + 10 * lane + place), dropped_after)
            for place, (length, dropped_after) in enumerate(videos)
        ]
        for lane, videos in enumerate(lengths)
    ]


def engine(
    config: StreamerConfig, lanes: int, schedule: Schedule | None = None, **arguments: Any
) -> Streamer:
    return Streamer(config, lanes=lanes, precision="float64", schedule=schedule or Schedule(), **arguments)


class Feed:
    """One lane's videos on their way into a model.

    Args:
        model: has the lane.
        lane: which one.
        videos: to be shown one after the other.
        at_once: snippets that are offered at once, at most; never of two videos.
        refill_at: offers more as soon as no more than so many snippets wait.
    """

    def __init__(
        self, model: Streamer, lane: int, videos: Sequence[Video], at_once: int, refill_at: int
    ) -> None:
        self.seen: list[Seen] = []
        self._model, self._lane, self._videos = model, lane, deque(videos)
        self._at_once, self._refill_at = at_once, refill_at
        self._offered = self._observed = 0
        self._signals: list[tuple[int, int, float, bool]] = []

    def offer(self) -> None:
        """Before a base step: hands over snippets if few are left."""
        if self._videos and self._model.lanes[self._lane].waiting <= self._refill_at:
            snippets = self._videos[0].snippets[self._offered : self._offered + self._at_once]
            if len(snippets):
                self._model.offer(snippets, self._lane)
            self._offered += len(snippets)

    def note(self, signals: Sequence[Signal]) -> None:
        """After a base step: keeps what it gave."""
        if not self._videos:
            assert not signals
            return
        assert all(signal.index == self._observed for signal in signals)
        self._signals += [(s.index, s.level, s.value, s.boundary) for s in signals]
        self._observed += 1
        assert self._model.lanes[self._lane].waiting == self._offered - self._observed

    def end(self) -> None:
        """After a base step: ends the video if that was its last snippet."""
        if not self._videos or self._observed < self._videos[0].length:
            return
        if self._videos.popleft().dropped_after is None:
            self.seen.append(Seen(self._signals, self._model.end_video(lane=self._lane).levels))
        else:
            self._model.start_video(self._lane)
        self._signals = []
        self._offered = self._observed = 0


def base_steps(streams: Sequence[Sequence[Video]]) -> int:
    """How many base steps it takes to show every lane its videos."""
    return max(sum(video.length for video in videos) for videos in streams)


def run_lanes(
    model: Streamer,
    streams: Sequence[Sequence[Video]],
    *,
    at_once: int = 1,
    refill_at: int = 0,
    steps: int | None = None,
    sync_every: int = 1,
    after_base_step: Callable[[int], object] | None = None,
) -> list[list[Seen]]:
    """Shows every lane of a model its videos, and in the end gathers what was learned.

    Args:
        model: has as many lanes as there are streams.
        streams: the videos of each lane.
        at_once: snippets that a lane is offered at once, at most.
        refill_at: a lane is offered more as soon as no more than so many snippets wait.
        steps: base steps, where other replicas need more than this one.
        sync_every: base steps between two barriers.
        after_base_step: called with the number of each base step, before videos end.

    Returns:
        Per lane what it made of those of its videos that ended.
    """
    feeds = [Feed(model, lane, videos, at_once, refill_at) for lane, videos in enumerate(streams)]
    for base_step in range(base_steps(streams) if steps is None else steps):
        for feed in feeds:
            feed.offer()
        for feed, signals in zip(feeds, model.advance(), strict=True):
            feed.note(signals)
        if model.learner is not None and (base_step + 1) % sync_every == 0:
            model.barrier()
        if after_base_step is not None:
            after_base_step(base_step)
        for feed in feeds:
            feed.end()
    if model.learner is not None:
        model.gather()
    return [feed.seen for feed in feeds]


def assert_same_videos(got: Sequence[Sequence[Seen]], expected: Sequence[Sequence[Seen]]) -> None:
    """Boundaries must be identical, values equal to rounding in float64."""
    assert [len(videos) for videos in got] == [len(videos) for videos in expected]
    for videos, others in zip(got, expected, strict=True):
        for one, other in zip(videos, others, strict=True):
            assert [(t, level, cut) for t, level, _, cut in one.signals] == [
                (t, level, cut) for t, level, _, cut in other.signals
            ]
            values = [value for _, _, value, _ in other.signals]
            assert [value for _, _, value, _ in one.signals] == approximately(values)
            assert len(one.levels) == len(other.levels)
            for events, other_events in zip(one.levels, other.levels, strict=True):
                assert_same_events(events, other_events)


def assert_same_events(got: Sequence[Event], expected: Sequence[Event]) -> None:
    """Times must be identical; means, signals and representations equal to rounding."""
    assert [(event.start_s, event.end_s) for event in got] == [
        (event.start_s, event.end_s) for event in expected
    ]
    for one, other in zip(got, expected, strict=True):
        assert one.mean_signal == approximately(other.mean_signal)
        assert one.boundary_signal == approximately(other.boundary_signal)
        if one.representation is None or other.representation is None:
            assert one.representation is other.representation
        else:  # kept in float32
            np.testing.assert_allclose(one.representation, other.representation, rtol=1e-6, atol=1e-7)


def approximately(expected: Any) -> Any:
    """What equals `expected` to rounding in float64, after steps that magnify rounding; None equals None."""
    return None if expected is None else pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE / 100)


def assert_same_model(model: Streamer, reference: SharedLanes | PlainStreamer) -> None:
    """Parameters by their names, what waits for the next step, and all counts."""
    assert len(model.levels) == len(reference.levels)
    for level, other in zip(model.levels, reference.levels, strict=True):
        own, expected = dict(level.named_parameters()), dict(other.named_parameters())
        assert own.keys() == expected.keys()
        for name, parameter in expected.items():
            # Adam magnifies the rounding of gradients that are zero: the same for entries of any size.
            assert_close(own[name].detach(), parameter.detach(), 0.1, name)
    assert (model.learner is None) is (reference.learner is None)
    if model.learner is None or reference.learner is None:
        return
    assert model.learner.steps == reference.learner.steps
    assert model.learner.losses.total == reference.learner.losses.total
    assert model.inputs.total == reference.inputs.total
    for kind in ("f_sums", "p_sums"):
        pairs = zip(getattr(model.learner, kind), getattr(reference.learner, kind), strict=True)
        for place, (own, expected) in enumerate(pairs):
            assert own.counter == expected.counter
            assert_close(own.flat, expected.flat, 1e-3, f"{kind}[{place}]")


def assert_close(got: torch.Tensor, expected: torch.Tensor, floor: float, name: str) -> None:
    """Equal to rounding, by the largest entry (small ones are differences of large ones) or by `floor`."""
    atol = TOLERANCE * max(expected.abs().max().item(), floor)
    torch.testing.assert_close(got, expected, rtol=0, atol=atol, msg=lambda message: f"{name}: {message}")
