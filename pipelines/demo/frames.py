"""The frames of a planned video, in order, before encoding."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.demo.backdrop import draw_look
from pipelines.demo.motion import camera_shake, light_gain
from pipelines.demo.plan import Transition, VideoPlan
from pipelines.demo.sprites import draw_hand
from pipelines.demo.stage import Stage
from pipelines.demo.textures import Image

NOISE = 2.2
"""Standard deviation of the sensor's noise, in levels of 0..255."""
PAN = 0.42
"""How far the camera turns before and after a pan's middle, as a share of the height; within the canvas."""


def render_frames(plan: VideoPlan) -> Iterator[NDArray[np.uint8]]:
    """Yields the frames [height, width, 3] (RGB) of a video; equal plans give equal frames."""
    rng = np.random.default_rng((*plan.seed, 1))
    shake = camera_shake(rng, plan.frames, plan.fps) * plan.size[1]
    gain = light_gain(rng, plan.frames, plan.fps)
    grain = _Grain(rng, plan.size)
    for number, picture in enumerate(_pictures(plan, shake)):
        picture *= gain[number]
        grain.add(picture)
        yield np.clip(picture, 0, 255).astype(np.uint8)


class _Grain:
    """Sensor noise: cut-outs of one larger field of noise, which is much cheaper than fresh noise."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self._rng = rng
        self._size = size
        width, height = size
        self._field = np.float32(NOISE) * rng.standard_normal((height + 64, width + 64, 3), np.float32)

    def add(self, picture: Image) -> None:
        """Adds noise to a picture in place."""
        width, height = self._size
        x, y = self._rng.integers(0, 64, 2)
        picture += self._field[y : y + height, x : x + width]


@dataclass(frozen=True)
class _Passage:
    """The frames around a boundary, in which one activity's picture gives way to the next one's.

    Attributes:
        old: what is seen before.
        new: what is seen after.
        entry: how the picture changes.
        boundary: first frame of the new activity.
        height: of the frame, pixels.
    """

    old: Stage
    new: Stage
    entry: Transition
    boundary: int
    height: int

    def picture(self, number: int, x: float, y: float) -> Image:
        """Draws frame `number` for a camera displaced by (x, y) pixels."""
        share = (number + 0.5 - self.boundary + self.entry.half) / (2 * self.entry.half)
        if self.entry.kind == "fade":
            picture = self.old.frame(number, x, y)
            picture += np.float32(share) * (self.new.frame(number, x, y) - picture)
            return picture
        return self._pan(number, share, x, y)

    def _pan(self, number: int, share: float, x: float, y: float) -> Image:
        """The camera turns to the right, away from the old place, and comes to rest at the new one."""
        reach = 4 * PAN * self.height
        stage, way = (self.old, share**2) if share < 0.5 else (self.new, -((1 - share) ** 2))
        # The shutter is open for half of the way that the camera makes from this frame to the next.
        blur = 0.5 * reach * min(share, 1 - share) / self.entry.half
        taps = (x + reach * way + part * blur for part in (-0.375, -0.125, 0.125, 0.375))
        return np.stack([stage.frame(number, tap, y) for tap in taps]).mean(axis=0)


def _pictures(plan: VideoPlan, shake: NDArray[np.float64]) -> Iterator[Image]:
    activities = [activity for scene in plan.scenes for activity in scene.activities]
    stages = _stages(plan)
    stage = next(stages)
    number = 0
    for activity, following in itertools.pairwise(activities):
        entry = following.entry
        while number < activity.stop - entry.half:
            yield stage.frame(number, *shake[number])
            number += 1
        upcoming = next(stages)
        passage = _Passage(stage, upcoming, entry, activity.stop, plan.size[1])
        while number < activity.stop + entry.half:
            yield passage.picture(number, *shake[number])
            number += 1
        stage = upcoming
    while number < plan.frames:
        yield stage.frame(number, *shake[number])
        number += 1


def _stages(plan: VideoPlan) -> Iterator[Stage]:
    """Sets up one activity after the other, each when it is asked for."""
    hand = draw_hand(np.random.default_rng((*plan.seed, 2)))
    for scene in plan.scenes:
        look = draw_look(scene.kind, np.random.default_rng((*plan.seed, 3, scene.start)))
        for activity in scene.activities:
            rng = np.random.default_rng((*plan.seed, 4, activity.start))
            yield Stage(activity, look, hand, size=plan.size, fps=plan.fps, rng=rng)
