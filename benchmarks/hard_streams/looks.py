"""Places and objects: what is seen, before anything moves."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.hard_streams.parts import Part
from pipelines.demo.sprites import SHAPES, Sprite, object_sprite
from pipelines.demo.textures import material
from pipelines.demo.vocabulary import Colour, ObjectKind

Picture = NDArray[np.floating]
"""[height, width, 3] of float32 in 0..255."""

WIDTH, HEIGHT = 176, 100
"""A picture is drawn at half the video's size, with a margin of 8 and 5 pixels for the camera to move in."""

CANVAS = (200, 400)  # height and width of a place, of which a view shows a part
FURNITURE = 5
PROPS = 8


@dataclass(frozen=True)
class Place:
    """A room as one wide picture.

    Attributes:
        canvas: [200, 400, 3].
        hue: its main colour on the circle, in 0..1.
    """

    canvas: Picture
    hue: float

    def view(self, x: float, y: float, zoom: float) -> Picture:
        """What a camera sees.

        Args:
            x: of the view's left edge, 0 to 1 of where it can be.
            y: of its upper edge, likewise.
            zoom: pixels of the picture per pixel of the canvas.

        Returns:
            [`HEIGHT`, `WIDTH`, 3].
        """
        height, width = HEIGHT / zoom, WIDTH / zoom
        rows = y * (CANVAS[0] - 1 - height) + np.arange(HEIGHT) / zoom
        columns = x * (CANVAS[1] - 1 - width) + np.arange(WIDTH) / zoom
        return _sample(self.canvas, rows, columns)


def colour(rng: np.random.Generator, hue: float, *, dark: bool) -> Colour:
    """A colour of a hue, with saturation and brightness drawn at random."""
    value = rng.uniform(0.2, 0.5) if dark else rng.uniform(0.6, 0.95)
    red, green, blue = colorsys.hsv_to_rgb(hue, rng.uniform(0.25, 0.8), value)
    return (round(255 * red), round(255 * green), round(255 * blue))


def draw_hue(rng: np.random.Generator, part: Part) -> float:
    """A hue of the part."""
    low, high = part.hues[int(rng.integers(len(part.hues)))]
    return float(rng.uniform(low, high))


def draw_object(rng: np.random.Generator, part: Part) -> Sprite:
    """An object of any shape, material and colours of the part."""
    hue = draw_hue(rng, part)
    shape = sorted(SHAPES)[int(rng.integers(len(SHAPES)))]
    kind = ObjectKind(
        shape, _any(rng, part), (colour(rng, hue, dark=False), colour(rng, hue, dark=True)), 0.2
    )
    return object_sprite(kind, rng)


def draw_place(rng: np.random.Generator, part: Part) -> Place:
    """A room: a wall and a floor, furniture against the wall, objects about."""
    hue, second = draw_hue(rng, part), draw_hue(rng, part)
    dark = bool(rng.random() < 0.4)
    height, width = CANVAS
    canvas = np.empty((height, width, 3), np.float32)
    horizon = int(height * rng.uniform(0.45, 0.65))
    canvas[:horizon] = _covering(rng, part, hue, dark=dark)[:horizon, :width]
    canvas[horizon:] = 0.8 * _covering(rng, part, second, dark=not dark)[: height - horizon, :width]
    for _ in range(FURNITURE):
        w, h = int(rng.uniform(30, 90)), int(rng.uniform(25, 80))
        x, y = int(rng.uniform(0, width - w)), max(0, horizon - int(h * rng.uniform(0.4, 1.0)))
        piece = _covering(rng, part, hue if rng.random() < 0.6 else second, dark=bool(rng.random() < 0.5))
        canvas[y : y + h, x : x + w] = piece[:h, :w]
    for _ in range(PROPS):
        place = rng.uniform(0, width), rng.uniform(0.2 * height, height)
        draw_object(rng, part).draw(canvas, *place, rng.uniform(-0.5, 0.5), rng.uniform(0.3, 0.7))
    return Place(np.clip(canvas, 0, 255), hue)


def enlarge(picture: Picture) -> Picture:
    """Doubles both sides, linearly interpolated: [H, W, 3] to [2H, 2W, 3]."""
    height, width = picture.shape[:2]
    tall = np.empty((2 * height, width, 3), np.float32)
    tall[::2] = picture
    tall[1:-1:2] = 0.5 * (picture[:-1] + picture[1:])
    tall[-1] = picture[-1]
    large = np.empty((2 * height, 2 * width, 3), np.float32)
    large[:, ::2] = tall
    large[:, 1:-1:2] = 0.5 * (tall[:, :-1] + tall[:, 1:])
    large[:, -1] = tall[:, -1]
    return large


def _covering(rng: np.random.Generator, part: Part, hue: float, *, dark: bool) -> Picture:
    """A material, large enough for the canvas."""
    colours = colour(rng, hue, dark=dark), colour(rng, hue, dark=not dark)
    return np.tile(material(_any(rng, part), rng, colours), (1, 2, 1))


def _any(rng: np.random.Generator, part: Part) -> str:
    return part.materials[int(rng.integers(len(part.materials)))]


def _sample(canvas: Picture, rows: np.ndarray, columns: np.ndarray) -> Picture:
    """Bilinear samples at a grid of rows and columns, all inside."""
    r, c = rows.astype(int), columns.astype(int)
    fr, fc = (rows - r)[:, None, None], (columns - c)[None, :, None]
    upper = canvas[r][:, c] * (1 - fc) + canvas[r][:, c + 1] * fc
    lower = canvas[r + 1][:, c] * (1 - fc) + canvas[r + 1][:, c + 1] * fc
    return (upper * (1 - fr) + lower * fr).astype(np.float32)
