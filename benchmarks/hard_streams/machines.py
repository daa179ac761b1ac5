"""A station with a machine that runs in patterns: what fools whoever compares a frame with the last one.

A station is a fixed view of a room. Its machine runs one of a few patterns at a time: a lamp or a coloured
alarm that blinks, a screen that alternates, a camera that rocks on its mount, a wheel that turns, an arm that
swings. Every pattern begins and ends at rest, looks the same in every cycle, and has such an amplitude that
all patterns of a station change the picture by the same amount from one snippet to the next. What is seen at
a boundary between two patterns (from rest to the first state of the next one, sometimes after a short halt)
is therefore also seen in every cycle inside the events on both sides of it: a difference of frames cannot
tell the boundary. Who knows the patterns can, since something else follows than what was due.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from benchmarks.hard_streams.camera import MARGIN, framed
from benchmarks.hard_streams.looks import HEIGHT, WIDTH, Picture, colour, draw_hue, draw_object
from benchmarks.hard_streams.parts import FPS, Part
from pipelines.demo.sprites import Sprite

PATTERNS = 3
"""Of a station."""

STEPS = {"lamp": 2, "alarm": 2, "screen": 3, "camera": 3, "wheel": 3, "arm": 4}
"""Kinds of pattern, and how many snippets a cycle takes."""

SNIPPET = FPS // 2
"""Frames of a snippet of half a second."""

AMOUNT = 14.0
"""Mean change from one snippet to the next, in grey levels of a channel, where it can be reached."""

State = tuple[Picture, tuple[float, float]]
"""A picture, and how far the camera is moved right and down, in pixels of the video."""


class Station:
    """A fixed view with a machine.

    Args:
        rng: source of randomness.
        part: gives materials and colours.
        backdrop: [`HEIGHT`, `WIDTH`, 3].
    """

    def __init__(self, rng: np.random.Generator, part: Part, backdrop: Picture) -> None:
        self.kinds = [sorted(STEPS)[i] for i in sorted(rng.choice(len(STEPS), PATTERNS, replace=False))]
        self._backdrop = backdrop
        self._arm, self._wheel = _pendulum(rng, part), _disc(rng, part)
        self._workpieces = [draw_object(rng, part) for _ in range(PATTERNS)]
        self._hinge = rng.uniform(0.35, 0.65) * WIDTH, rng.uniform(0.45, 0.6) * HEIGHT
        self._rest = self._machine()
        self._lights = [_lights(rng, part, kind, self._rest) for kind in self.kinds]
        self._amounts = self._calibrate()

    def state(self, pattern: int, since: int | None) -> State:
        """What is seen.

        Args:
            pattern: number of the pattern.
            since: frames since its first cycle began; None at rest.
        """
        picture, shift = self._shown(pattern, since, self._amounts[pattern])
        picture = picture.copy()
        self._workpieces[pattern].draw(picture, 0.85 * WIDTH, 0.8 * HEIGHT, 0.0, 0.35)
        return picture, shift

    def cycle(self, pattern: int) -> int:
        """Frames of a cycle of a pattern."""
        return STEPS[self.kinds[pattern]] * SNIPPET

    def _shown(self, pattern: int, since: int | None, amount: float) -> State:
        kind, still = self.kinds[pattern], (0.0, 0.0)
        if since is None:
            return self._rest, still
        turn = (since + 1) / self.cycle(pattern) % 1.0
        swing = math.sin(2 * math.pi * turn)
        if kind == "camera":
            return self._rest, (amount * swing * MARGIN[0], 0.5 * amount * swing * MARGIN[1])
        if kind == "wheel":
            active = self._machine(wheel=2 * math.pi * turn)
        elif kind == "arm":
            active = self._machine(arm=0.9 * swing)
        else:  # a cycle is active first and ends at rest
            step = since // SNIPPET % STEPS[kind]
            active = self._lights[pattern][step] if step < STEPS[kind] - 1 else self._rest
        return self._rest + amount * (active - self._rest), still

    def _machine(self, wheel: float = 0.0, arm: float = 0.0) -> Picture:
        """The view with what can turn at two angles in radians."""
        picture = self._backdrop.copy()
        if "wheel" in self.kinds:
            self._wheel.draw(picture, *self._hinge, wheel, 1.0)
        if "arm" in self.kinds:
            self._arm.draw(picture, self._hinge[0], 0.05 * HEIGHT, arm, 1.0)
        return picture

    def _calibrate(self) -> list[float]:
        """Amplitudes at which all patterns change the picture by the same amount."""
        wanted = min(AMOUNT, *(self._change(pattern, 1.0) for pattern in range(PATTERNS)))
        amounts = []
        for pattern in range(PATTERNS):
            low, high = 0.0, 1.0
            for _ in range(7):
                middle = (low + high) / 2
                low, high = (low, middle) if self._change(pattern, middle) > wanted else (middle, high)
            amounts.append(high)
        return amounts

    def _change(self, pattern: int, amount: float) -> float:
        """Mean change from one snippet to the next over a cycle, in grey levels."""
        moments = range(SNIPPET // 2, self.cycle(pattern) + SNIPPET, SNIPPET)
        states = [framed(*self._shown(pattern, since, amount)) for since in moments]
        return float(np.mean([np.abs(b - a).mean() for a, b in itertools.pairwise(states)]))


def _disc(rng: np.random.Generator, part: Part) -> Sprite:
    """A wheel: a disc of sectors in different colours."""
    side = 88
    line = np.arange(side, dtype=np.float32) - (side - 1) / 2
    y, x = np.meshgrid(line, line, indexing="ij")
    sectors = [colour(rng, draw_hue(rng, part), dark=bool(i % 2)) for i in range(4)]
    chosen = np.asarray(sectors, np.float32)[((np.arctan2(y, x) / (2 * np.pi) + 0.5) * 3.999).astype(int)]
    opacity = np.clip(side / 2 - 2 - np.hypot(y, x), 0, 1)[..., None]
    return Sprite(
        np.concatenate([chosen * opacity, opacity], axis=2).astype(np.float32), (side / 2, side / 2)
    )


def _pendulum(rng: np.random.Generator, part: Part) -> Sprite:
    """An arm that hangs from its upper end, with a weight at the other."""
    height, width = 88, 44
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x -= (width - 1) / 2
    opacity = np.clip(np.maximum(7 - np.abs(x), width / 2 - 2 - np.hypot(x, y - 64)), 0, 1)[..., None]
    opacity[[0, -1]] = 0
    tones = [np.asarray(colour(rng, draw_hue(rng, part), dark=dark), np.float32) for dark in (False, True)]
    shade = np.where((y % 20 < 10)[..., None], *tones)
    return Sprite(np.concatenate([shade * opacity, opacity], axis=2).astype(np.float32), (width / 2, 2.0))


def _lights(rng: np.random.Generator, part: Part, kind: str, rest: Picture) -> list[Picture]:
    """What a pattern of lights looks like in each step but the last, which is rest."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    if kind == "lamp":
        away = np.hypot(x - rng.uniform(0.2, 0.8) * WIDTH, y - rng.uniform(0.2, 0.8) * HEIGHT)
        pool = np.exp(-((away / (0.45 * WIDTH)) ** 2))[..., None]
        return [np.clip(rest * (1 + 0.9 * pool) + 60 * pool, 0, 255)]
    if kind == "alarm":
        tint = np.asarray(colour(rng, draw_hue(rng, part), dark=False), np.float32) / 255
        return [np.clip(rest * tint * 0.7, 0, 255)]
    if kind == "screen":
        top, left = int(rng.uniform(5, 30)), int(rng.uniform(8, 60))
        images = []
        for step in range(STEPS[kind] - 1):
            picture = rest.copy()
            shade = np.asarray(colour(rng, draw_hue(rng, part), dark=bool(step)), np.float32)
            stripes = 0.5 + 0.5 * (np.sin((x if step else y) * rng.uniform(0.3, 0.7)) > 0)[..., None]
            picture[top : top + 60, left : left + 100] = (stripes * shade)[top : top + 60, left : left + 100]
            images.append(picture)
        return images
    return []
