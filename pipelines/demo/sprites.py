"""Objects and hands as small pictures with transparency, drawn at any place, angle and size."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.demo.textures import Image, material, soften
from pipelines.demo.vocabulary import Colour, ObjectKind

TEXELS = 72
EXTENT = 0.42
"""Half the extent of an object's outline as a share of its sprite's side; the rest is room for the shadow."""


@dataclass(frozen=True)
class Sprite:
    """A picture with transparency.

    Attributes:
        pixels: [height, width, 4], colours in 0..255 already multiplied by the opacity, then the opacity.
        pivot: (x, y) of the point that is placed and turned about, in its pixels.
    """

    pixels: Image
    pivot: tuple[float, float]

    def draw(self, image: Image, x: float, y: float, angle: float, scale: float) -> None:
        """Draws the sprite into an image [H, W, 3] in place.

        Args:
            image: colours in 0..255.
            x: where the pivot comes to lie, in pixels of the image.
            y: where the pivot comes to lie, in pixels of the image.
            angle: clockwise turn in radians.
            scale: pixels of the image per pixel of the sprite.
        """
        cosine, sine = math.cos(angle), math.sin(angle)
        height, width = self.pixels.shape[:2]
        across = np.array([-self.pivot[0], width - self.pivot[0]] * 2)
        down = np.repeat([-self.pivot[1], height - self.pivot[1]], 2)
        columns = x + scale * (cosine * across - sine * down)
        rows = y + scale * (sine * across + cosine * down)
        left, right = max(math.floor(columns.min()), 0), min(math.ceil(columns.max()), image.shape[1])
        top, bottom = max(math.floor(rows.min()), 0), min(math.ceil(rows.max()), image.shape[0])
        if left >= right or top >= bottom:
            return
        dx = ((np.arange(left, right) - x) / scale).astype(np.float32)[None, :]
        dy = ((np.arange(top, bottom) - y) / scale).astype(np.float32)[:, None]
        u, v = cosine * dx + sine * dy, cosine * dy - sine * dx
        sample = self._sample(u + self.pivot[0], v + self.pivot[1])
        window = image[top:bottom, left:right]
        window *= 1 - sample[..., 3:]
        window += sample[..., :3]

    def _sample(self, u: Image, v: Image) -> Image:
        height, width = self.pixels.shape[:2]
        u = np.clip(u, 0, width - 1.001)
        v = np.clip(v, 0, height - 1.001)
        column, row = u.astype(np.int32), v.astype(np.int32)
        fu, fv = (u - column)[..., None], (v - row)[..., None]
        flat = self.pixels.reshape(-1, 4)
        corner = row * width + column
        upper = np.take(flat, corner, axis=0)
        upper += fu * (np.take(flat, corner + 1, axis=0) - upper)
        lower = np.take(flat, corner + width, axis=0)
        lower += fu * (np.take(flat, corner + width + 1, axis=0) - lower)
        upper += fv * (lower - upper)
        return upper


def object_sprite(kind: ObjectKind, rng: np.random.Generator) -> Sprite:
    """Draws an object: its outline filled with its material, lit from above left, with dark rims."""
    line = (np.arange(TEXELS, dtype=np.float32) + 0.5) / TEXELS * 2 - 1
    y, x = np.meshgrid(line / (2 * EXTENT), line / (2 * EXTENT), indexing="ij")
    outside = SHAPES[kind.shape](x, y)
    opacity = np.clip(0.5 - outside * TEXELS * EXTENT, 0, 1)
    depth = np.clip(-outside * 3, 0, 1)
    shade = (0.62 + 0.38 * depth) * (1.05 - 0.16 * (x + y))
    # The material is drawn at twice the side so that a sprite shows few repetitions of its pattern.
    texture = material(kind.material, rng, kind.colours, 2 * TEXELS)[:TEXELS, :TEXELS]
    gleam = 70 * np.exp(-((x + 0.3) ** 2 + (y + 0.35) ** 2) / 0.05) * depth
    colour = np.clip(texture * shade[..., None] + gleam[..., None], 0, 255)
    return _sprite(colour, opacity, (TEXELS / 2, TEXELS / 2))


def shadow_of(sprite: Sprite) -> Sprite:
    """A soft dark copy of a sprite's outline, to be drawn beneath it."""
    opacity = 0.45 * np.clip(soften(np.ascontiguousarray(sprite.pixels[..., 3]), 2.5), 0, 1)
    # Sampling beyond the border repeats it, so that the border has to be clear.
    opacity[[0, -1]] = 0
    opacity[:, [0, -1]] = 0
    return _sprite(np.zeros((*opacity.shape, 3), np.float32), opacity, sprite.pivot)


def draw_hand(rng: np.random.Generator) -> Sprite:
    """Draws one person's forearm with a hand that points upwards; its pivot is at the fingertips."""
    skins: list[Colour] = [(224, 172, 138), (196, 140, 104), (142, 94, 66), (96, 62, 46)]
    sleeves: list[Colour] = [(60, 80, 140), (170, 60, 60), (70, 120, 80), (210, 200, 180), (50, 50, 56)]
    skin, sleeve = skins[int(rng.integers(len(skins)))], sleeves[int(rng.integers(len(sleeves)))]
    height, width = 190, 52
    y = np.arange(height, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)[None, :] - width / 2 + 0.5
    half = np.interp(y, [2, 14, 30, 44, 52, 120, height], [2, 11, 14, 12, 10, 15, 20]).astype(np.float32)
    centre = 1.5 * np.sin(y / 30)
    opacity = np.clip(half - np.abs(x - centre), 0, 1)
    # Gaps between the fingers.
    opacity = opacity * (1 - ((y < 17) & (np.abs(np.abs(x) % 7 - 3.5) < 0.7) & (np.abs(x) < 9)))
    is_sleeve = y > 62 + 2 * np.sin(x / 3)
    weave = material("fabric", rng, (sleeve, _darker(sleeve)), 256)[:height, :width]
    colour = np.where(is_sleeve[..., None], weave, np.asarray(skin, np.float32))
    round_off = 0.55 + 0.45 * np.sqrt(np.clip(1 - ((x - centre) / (half + 1)) ** 2, 0, 1))
    colour = colour * (round_off * np.where(y < 50, 1.0, 0.93))[..., None]
    opacity[-1], opacity[0], opacity[:, [0, -1]] = 0, 0, 0
    return _sprite(colour, opacity, (width / 2, 4.0))


def _sprite(colour: Image, opacity: Image, pivot: tuple[float, float]) -> Sprite:
    pixels = np.concatenate([colour * opacity[..., None], opacity[..., None]], axis=2)
    return Sprite(np.ascontiguousarray(pixels, np.float32), pivot)


def _darker(colour: Colour) -> Colour:
    return colour[0] * 2 // 3, colour[1] * 2 // 3, colour[2] * 2 // 3


def _disc(x: Image, y: Image) -> Image:
    return np.hypot(x, y) - 0.9


def _ring(x: Image, y: Image) -> Image:
    return np.abs(np.hypot(x, y) - 0.66) - 0.26


def _rectangle(x: Image, y: Image, half_width: float, half_height: float) -> Image:
    return np.maximum(np.abs(x) - half_width, np.abs(y) - half_height)


def _box(x: Image, y: Image) -> Image:
    return _rectangle(x, y, 0.82, 0.58)


def _bar(x: Image, y: Image) -> Image:
    return _rectangle(x, y, 0.13, 0.95)


def _spoon(x: Image, y: Image) -> Image:
    return np.minimum(np.hypot(1.3 * x, y + 0.58) - 0.38, _rectangle(x, y - 0.2, 0.12, 0.75))


def _blade(x: Image, y: Image) -> Image:
    edge = np.maximum(np.abs(y + 0.3) - 0.65, np.abs(x) - 0.32 * (1 + np.clip(y, -0.95, 0.35)) - 0.06)
    return np.minimum(edge, _rectangle(x, y - 0.65, 0.14, 0.3))


def _knife(x: Image, y: Image) -> Image:
    # One straight edge and one that runs to the point.
    blade = np.maximum(
        np.abs(y + 0.32) - 0.63, np.maximum(x - 0.16, -x - 0.24 * np.clip(1.6 * (y + 1), 0, 1))
    )
    return np.minimum(blade, _rectangle(x, y - 0.6, 0.12, 0.35))


def _bottle(x: Image, y: Image) -> Image:
    return np.minimum(_rectangle(x, y - 0.25, 0.42, 0.65), _rectangle(x, y + 0.65, 0.17, 0.28))


def _hammer(x: Image, y: Image) -> Image:
    return np.minimum(_rectangle(x, y + 0.62, 0.6, 0.26), _rectangle(x, y - 0.15, 0.12, 0.78))


def _gear(x: Image, y: Image) -> Image:
    radius = np.hypot(x, y)
    teeth = 0.76 + 0.12 * np.tanh(3 * np.cos(8 * np.arctan2(y, x)))
    return np.maximum(radius - teeth, 0.22 - radius)


def _blob(x: Image, y: Image) -> Image:
    turn = np.arctan2(y, x)
    return np.hypot(x, y) - 0.78 - 0.06 * np.cos(3 * turn + 1) - 0.04 * np.cos(5 * turn)


SHAPES: dict[str, Callable[[Image, Image], Image]] = {
    "disc": _disc,
    "ring": _ring,
    "box": _box,
    "bar": _bar,
    "spoon": _spoon,
    "blade": _blade,
    "knife": _knife,
    "bottle": _bottle,
    "hammer": _hammer,
    "gear": _gear,
    "blob": _blob,
}
"""Distance to the outline, negative inside, on coordinates in which an object reaches from -1 to 1."""
