"""From drawn pictures to the frames of a camera: its movement and its noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.hard_streams.looks import HEIGHT, WIDTH, Picture, enlarge
from benchmarks.hard_streams.parts import FPS, SIZE

Frame = NDArray[np.uint8]

MARGIN = (2 * WIDTH - SIZE[0]) // 2, (2 * HEIGHT - SIZE[1]) // 2
"""How far the camera can move either way, in pixels of the video: 16 and 10."""

FIELDS = 8  # pictures of noise, of which every frame takes a part at random
SLACK = 64  # by how much they are larger than a frame


class Camera:
    """Shows pictures as a camera would.

    Args:
        rng: of shake and noise.
        frames: of the video.
        shake: standard deviation of the camera's place, in pixels of the video.
        noise: standard deviation of the sensor's noise, in grey levels.
    """

    def __init__(self, rng: np.random.Generator, frames: int, shake: float, noise: float) -> None:
        self._rng = rng
        shape = (FIELDS, SIZE[1] + SLACK, SIZE[0] + SLACK, 3)
        self._noise = (noise * rng.standard_normal(shape)).astype(np.int16)
        self._path = _shaken(rng, frames, shake)

    def take(self, picture: Picture, number: int, shift: tuple[float, float] = (0.0, 0.0)) -> Frame:
        """A frame, uint8 [180, 320, 3].

        Args:
            picture: [`HEIGHT`, `WIDTH`, 3].
            number: of the frame in the video.
            shift: how far the camera is moved right and down beside its shake, in pixels of the video.
        """
        x, y = self._path[number] + np.asarray(shift)
        seen = framed(picture, (x, y))
        field, row, column = self._rng.integers([FIELDS, SLACK, SLACK])
        noise = self._noise[field, row : row + SIZE[1], column : column + SIZE[0]]
        return np.clip(seen + noise, 0, 255).astype(np.uint8)


def framed(picture: Picture, shift: tuple[float, float]) -> Picture:
    """What a camera sees of a picture, moved right and down by whole pixels: float32 [180, 320, 3]."""
    left = int(np.clip(round(MARGIN[0] + shift[0]), 0, 2 * MARGIN[0]))
    top = int(np.clip(round(MARGIN[1] + shift[1]), 0, 2 * MARGIN[1]))
    return enlarge(picture)[top : top + SIZE[1], left : left + SIZE[0]]


def _shaken(rng: np.random.Generator, frames: int, shake: float) -> np.ndarray:
    """Where a hand holds the camera, [frames, 2]: slow swaying with some trembling."""
    seconds = np.arange(frames)[:, None] / FPS
    path = np.zeros((frames, 2))
    for low, high, weight in ((0.15, 0.5, 1.0), (0.5, 1.5, 0.6), (1.5, 4.0, 0.4)):
        rates, phases = rng.uniform(low, high, 2), rng.uniform(0, 2 * np.pi, 2)
        path += weight * np.sin(2 * np.pi * rates * seconds + phases)
    return shake * path / path.std()
