"""What happens in a video and when: the nested truth, fixed before the first pixel is drawn."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.demo.vocabulary import ActivityKind, SceneKind, scene_kinds

SCENE_S = (18.0, 35.0)
ACTIVITY_S = (8.0, 15.0)
MOTION_S = (2.0, 5.0)
LENGTH_SPREAD = 0.1
"""Videos are longer or shorter than asked for by up to this share, so that no two are equally long."""


@dataclass(frozen=True)
class Transition:
    """How the picture changes from one activity to the next; the boundary is in its middle.

    Attributes:
        kind: "cut", "fade" (both pictures mixed) or "pan" (the camera turns away).
        half: frames on each side of the boundary that it takes; 0 for a cut.
    """

    kind: str
    half: int


@dataclass(frozen=True)
class MotionPlan:
    """A motion: its kind, the object moved and its frames [start, stop)."""

    kind: str
    tool: str
    start: int
    stop: int


@dataclass(frozen=True)
class ActivityPlan:
    """An activity: its motions, its frames [start, stop) and how the picture changes to it."""

    kind: ActivityKind
    start: int
    stop: int
    motions: tuple[MotionPlan, ...]
    entry: Transition


@dataclass(frozen=True)
class ScenePlan:
    """A scene: its activities and its frames [start, stop)."""

    kind: SceneKind
    start: int
    stop: int
    activities: tuple[ActivityPlan, ...]


@dataclass(frozen=True)
class VideoPlan:
    """A video: its scenes tile its frames, their activities tile them, and the motions tile those.

    Attributes:
        name: file name without suffix.
        seed: numbers from which everything drawn at random in this video follows.
        size: width and height in pixels.
        fps: frames a second.
        scenes: in time order.
    """

    name: str
    seed: tuple[int, int]
    size: tuple[int, int]
    fps: int
    scenes: tuple[ScenePlan, ...]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.scenes[-1].stop

    def truth(self) -> Iterator[tuple[str, float, float, str]]:
        """Yields (level, start in s, end in s, label), the finest level first, in time order."""
        activities = [activity for scene in self.scenes for activity in scene.activities]
        for motion in itertools.chain.from_iterable(activity.motions for activity in activities):
            yield "motion", motion.start / self.fps, motion.stop / self.fps, motion.kind
        for activity in activities:
            yield "activity", activity.start / self.fps, activity.stop / self.fps, activity.kind.name
        for scene in self.scenes:
            yield "scene", scene.start / self.fps, scene.stop / self.fps, scene.kind.name


def plan_video(seed: int, index: int, *, seconds: float, size: tuple[int, int], fps: int) -> VideoPlan:
    """Plans one video of the corpus.

    Every scene has at least two activities and every activity at least two motions, however short.

    Args:
        seed: seed of the corpus.
        index: number of the video in the corpus, from 0.
        seconds: length, which is varied by up to `LENGTH_SPREAD`.
        size: width and height in pixels.
        fps: frames a second.
    """
    rng = np.random.default_rng((seed, index))
    frames = round(seconds * fps * rng.uniform(1 - LENGTH_SPREAD, 1 + LENGTH_SPREAD))
    kinds = scene_kinds()
    scenes: list[ScenePlan] = []
    # The videos open in different places, so that even a small corpus shows most of them.
    kind = kinds[(seed + index) % len(kinds)]
    for start, stop in _divide(rng, 0, frames, SCENE_S, fps):
        if scenes:
            kind = _another(rng, kinds, scenes[-1].kind)
        scenes.append(ScenePlan(kind, start, stop, tuple(_plan_activities(rng, kind, start, stop, fps))))
    name = f"{scenes[0].kind.name.replace(' ', '-')}-{index + 1:02d}"
    return VideoPlan(name, (seed, index), size, fps, tuple(scenes))


def _plan_activities(
    rng: np.random.Generator, scene: SceneKind, start: int, stop: int, fps: int
) -> Iterator[ActivityPlan]:
    previous = None
    for first, last in _divide(rng, start, stop, ACTIVITY_S, fps):
        kind = _another(rng, scene.activities, previous)
        motions = tuple(_plan_motions(rng, kind, first, last, fps))
        entry = _draw_transition(rng, fps, (last - first) // 4, new_scene=previous is None)
        yield ActivityPlan(kind, first, last, motions, entry if first else Transition("cut", 0))
        previous = kind


def _plan_motions(
    rng: np.random.Generator, activity: ActivityKind, start: int, stop: int, fps: int
) -> Iterator[MotionPlan]:
    previous = None
    for first, last in _divide(rng, start, stop, MOTION_S, fps):
        kind, tool = _another(rng, activity.motions, previous)
        yield MotionPlan(kind, tool, first, last)
        previous = (kind, tool)


def _draw_transition(rng: np.random.Generator, fps: int, longest: int, *, new_scene: bool) -> Transition:
    soft = rng.random() < (0.3 if new_scene else 0.6)
    half = min(round(rng.uniform(0.2, 0.4) * fps), longest)
    if not soft or half < 1:
        return Transition("cut", 0)
    return Transition("fade" if new_scene else "pan", half)


def _another(rng: np.random.Generator, choices: Sequence, previous: object):
    others = [choice for choice in choices if choice != previous]
    return others[int(rng.integers(len(others)))]


def _divide(
    rng: np.random.Generator, start: int, stop: int, range_s: tuple[float, float], fps: int
) -> list[tuple[int, int]]:
    """Cuts the frames [start, stop) at random into two or more parts.

    The parts' lengths lie in `range_s` where the whole is long enough for two such parts.
    """
    total = stop - start
    shortest, longest = (limit * fps for limit in range_s)
    fewest, most = math.ceil(total / longest), math.floor(total / shortest)
    count = max(2, int(rng.integers(fewest, max(fewest, most) + 1)))
    if not count * shortest <= total <= count * longest:
        shortest, longest = 0.7 * total / count, 1.3 * total / count
    lengths = rng.uniform(shortest, longest, count)
    surplus = lengths.sum() - total
    # Shrinks or stretches all parts towards the limit, which keeps them within it and makes the sum exact.
    limit = shortest if surplus > 0 else longest
    lengths -= (lengths - limit) * surplus / (lengths - limit).sum()
    edges = [start, *(start + np.rint(np.cumsum(lengths[:-1])).astype(int)).tolist(), stop]
    return list(itertools.pairwise(edges))
