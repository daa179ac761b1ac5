"""How objects, hands, the camera and the light move."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pose:
    """Displacement of an object from where it rested before the motion.

    Attributes:
        x: to the right, as a share of the frame's height.
        y: downwards, as a share of the frame's height.
        angle: clockwise, in radians.
        lift: how much larger it looks because it is nearer to the camera; 0 on the surface.
    """

    x: float = 0.0
    y: float = 0.0
    angle: float = 0.0
    lift: float = 0.0


@dataclass(frozen=True)
class Movement:
    """One motion of one object by one hand.

    A hand comes in, performs the motion and leaves, so that at both ends of the motion all is at rest.

    Attributes:
        kind: one of `MOTIONS`.
        duration_s: from rest to rest, seconds.
        amplitude: reach of the motion as a share of the frame's height.
        rate_hz: repetitions a second.
        heading: direction of the motion, radians.
    """

    kind: str
    duration_s: float
    amplitude: float
    rate_hz: float
    heading: float

    @classmethod
    def draw(
        cls, rng: np.random.Generator, kind: str, duration_s: float, *, to_the_right: bool
    ) -> "Movement":
        """Draws how large and how fast a motion is, and its direction on the given side."""
        return cls(
            kind,
            duration_s,
            amplitude=float(rng.uniform(0.8, 1.2)),
            rate_hz=float(rng.uniform(0.8, 1.25)),
            heading=float(rng.uniform(-0.4, 0.4)) + (0.0 if to_the_right else math.pi),
        )

    @property
    def approach_s(self) -> float:
        """Seconds that the hand takes to come, and again to leave."""
        return min(0.35, 0.2 * self.duration_s)

    def pose(self, time_s: float) -> Pose:
        """Pose of the object `time_s` seconds after the start; constant before and after the motion."""
        active = self.duration_s - 2 * self.approach_s
        elapsed = min(max(time_s - self.approach_s, 0.0), active)
        ramp = min(0.4, 0.3 * active)
        envelope = _ease(elapsed / ramp) * _ease((active - elapsed) / ramp)
        return MOTIONS[self.kind](self, elapsed / active, elapsed, envelope)

    def hand(self, time_s: float) -> float:
        """How far the hand has come: 0 out of sight, 1 at the object."""
        arrival = _ease(time_s / self.approach_s) * _ease((self.duration_s - time_s) / self.approach_s)
        if self.kind == "reach":
            arrival *= 0.6 + 0.4 * math.cos(2 * math.pi * 0.9 * self.rate_hz * (time_s - self.approach_s))
        return arrival


def _ease(share: float) -> float:
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _slide(move: Movement, share: float, elapsed: float, envelope: float) -> Pose:
    way = 0.3 * move.amplitude * _ease(share)
    return Pose(way * math.cos(move.heading), way * 0.4 * math.sin(move.heading))


def _rotate(move: Movement, share: float, elapsed: float, envelope: float) -> Pose:
    return Pose(angle=math.copysign(2.2, math.cos(move.heading)) * move.rate_hz * elapsed)


def _swing(move: Movement, share: float, elapsed: float, envelope: float) -> Pose:
    phase = envelope * math.sin(2 * math.pi * 0.8 * move.rate_hz * elapsed)
    return Pose(0.22 * move.amplitude * phase, -0.16 * envelope, 0.7 * phase, 0.15 * envelope)


def _reach(move: Movement, share: float, elapsed: float, envelope: float) -> Pose:
    return Pose()


def _stir(move: Movement, share: float, elapsed: float, envelope: float) -> Pose:
    phase = move.heading + 2 * math.pi * 1.1 * move.rate_hz * elapsed
    radius = 0.11 * move.amplitude * envelope
    return Pose(radius * math.cos(phase), 0.6 * radius * math.sin(phase), 0.25 * envelope * math.cos(phase))


def _chop(move: Movement, share: float, elapsed: float, envelope: float) -> Pose:
    stroke = abs(math.sin(math.pi * 2.2 * move.rate_hz * elapsed))
    travel = math.copysign(0.16 * math.sin(math.pi * share), math.cos(move.heading))
    return Pose(travel, -0.17 * move.amplitude * stroke * envelope, 0.3 * stroke * envelope, 0.1 * envelope)


def _wipe(move: Movement, share: float, elapsed: float, envelope: float) -> Pose:
    sweep = math.sin(2 * math.pi * 0.75 * move.rate_hz * elapsed)
    drift = math.sin(math.pi * share)
    return Pose(0.3 * move.amplitude * sweep * envelope, 0.12 * drift, 0.12 * sweep * envelope)


def _shake(move: Movement, share: float, elapsed: float, envelope: float) -> Pose:
    jolt = math.sin(2 * math.pi * 3.3 * move.rate_hz * elapsed)
    return Pose(0.05 * jolt * envelope, -0.14 * envelope, 0.25 * jolt * envelope, 0.2 * envelope)


def _pour(move: Movement, share: float, elapsed: float, envelope: float) -> Pose:
    tilt = math.copysign(1.5 * _ease(2 * share) * envelope, math.cos(move.heading))
    return Pose(0.08 * tilt, -0.24 * envelope, tilt, 0.2 * envelope)


MOTIONS: dict[str, Callable[[Movement, float, float, float], Pose]] = {
    "slide": _slide,
    "rotate": _rotate,
    "swing": _swing,
    "reach": _reach,
    "stir": _stir,
    "chop": _chop,
    "wipe": _wipe,
    "shake": _shake,
    "pour": _pour,
}
"""Pose from the movement, the share done, the seconds done and an envelope that is 0 at both ends."""


def smooth_noise(rng: np.random.Generator, count: int, sigma: float) -> NDArray[np.float64]:
    """Gaussian noise of standard deviation 1 that varies over about `sigma` samples; array [count]."""
    kernel = _bell(sigma)
    kernel /= np.sqrt((kernel**2).sum())
    white = rng.standard_normal(count + len(kernel) - 1)
    return np.asarray(np.convolve(white, kernel, mode="valid"), np.float64)


def gaze(targets: NDArray[np.float64], lengths: Sequence[int], fps: int) -> NDArray[np.float64]:
    """Where a camera looks that turns quickly to each target in turn.

    Args:
        targets: [n, 2], x and y.
        lengths: for how many frames each target is looked at.
        fps: frames a second.

    Returns:
        Array [sum of lengths, 2]; halfway between two targets it changes from one to the next.
    """
    kernel = _bell(0.1 * fps)
    kernel /= kernel.sum()
    steps = np.repeat(targets, lengths, axis=0)
    padded = np.pad(steps, ((len(kernel) // 2, len(kernel) // 2), (0, 0)), mode="edge")
    turned = [np.convolve(padded[:, axis], kernel, mode="valid") for axis in range(2)]
    return np.stack(turned, axis=1).astype(np.float64)


def _bell(sigma: float) -> NDArray[np.float64]:
    reach = max(1, math.ceil(3 * sigma))
    return np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)


def camera_shake(rng: np.random.Generator, frames: int, fps: int) -> NDArray[np.float64]:
    """Sway and tremor of a camera worn or held by hand: [frames, 2] (x, y), shares of the height."""
    sway = [smooth_noise(rng, frames, 0.9 * fps) for _ in range(2)]
    tremor = [smooth_noise(rng, frames, 0.12 * fps) for _ in range(2)]
    return np.stack([0.012 * sway[0] + 0.0035 * tremor[0], 0.007 * sway[1] + 0.003 * tremor[1]], axis=1)


def light_gain(rng: np.random.Generator, frames: int, fps: int) -> NDArray[np.float32]:
    """Gain of red, green and blue in every frame, [frames, 3]: slow drift and now and then a flicker."""
    level = 1.0 + 0.05 * smooth_noise(rng, frames, 5.0 * fps)
    warmth = 0.02 * smooth_noise(rng, frames, 7.0 * fps)
    for start in np.flatnonzero(rng.random(frames) < 1 / (14.0 * fps)):
        length = int(rng.integers(2, 6))
        level[start : start + length] *= 1.0 + rng.choice([-1, 1]) * rng.uniform(0.06, 0.16)
    return np.stack([level * (1 + warmth), level, level * (1 - warmth)], axis=1).astype(np.float32)
