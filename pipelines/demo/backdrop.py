"""What stands still: a wall and a work surface in perspective, seen by a camera that moves a little."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.demo.textures import Image, material
from pipelines.demo.vocabulary import Colour, Cover, SceneKind

SIDE_MARGIN = 0.85
UPPER_MARGIN = 0.16
"""What the canvas shows beyond the frame on each side, above and below, as shares of the frame's height."""


@dataclass(frozen=True)
class SceneLook:
    """How a place looks in all activities of one scene.

    Attributes:
        wall: texture [S, S, 3].
        surface: texture [S, S, 3].
        decor: textures [S, S, 3] of what hangs on the wall.
        light: gains of red, green and blue.
        light_from: direction that the light comes from, radians in the plane of the picture.
    """

    wall: Image
    surface: Image
    decor: tuple[Image, ...]
    light: NDArray[np.float32]
    light_from: float


@dataclass(frozen=True)
class Viewpoint:
    """Where the camera stands.

    Attributes:
        lower: row of the canvas at which the frame ends below.
        edge: row at which the wall ends and the surface begins.
        vanishing: row at which lines on the surface that lead away from the camera meet, above `edge`.
        zoom: texture pixels per pixel of the frame at the lower border; small is close.
        near: how much larger than usual cover and objects look.
        shift: what part of the wall and surface is seen, texture pixels.
    """

    lower: float
    edge: float
    vanishing: float
    zoom: float
    near: float
    shift: tuple[float, float]

    def depths(self, rows: Image) -> Image:
        """Distances of what rows of the canvas show; 1 at the frame's lower border."""
        return (self.lower - self.vanishing) / (np.maximum(rows, self.edge) - self.vanishing)


def draw_look(kind: SceneKind, rng: np.random.Generator) -> SceneLook:
    """Draws a scene's materials and light; each differs a little from other scenes of its kind."""

    def textured(name: str, *colours: Colour) -> Image:
        tint = rng.uniform(0.9, 1.1) * rng.uniform(0.95, 1.05, 3)
        return material(name, rng, (_tinted(colours[0], tint), _tinted(colours[1], tint)))

    names = rng.choice(["stone", "fabric", "checker", "wood", "foliage", "plaster"], 3, replace=False)
    greys, hues = rng.integers(60, 200, (3, 2, 1)), rng.integers(-50, 50, (3, 2, 3))
    colours = [[tuple(colour) for colour in pair] for pair in (greys + hues).tolist()]
    decor = [textured(str(name), *pair) for name, pair in zip(names, colours, strict=True)]
    return SceneLook(
        wall=textured(*kind.wall),
        surface=textured(*kind.surface),
        decor=tuple(decor),
        light=(np.asarray(kind.light) * rng.uniform(0.97, 1.03, 3)).astype(np.float32),
        light_from=float(rng.uniform(0, 2 * math.pi)),
    )


def _tinted(colour: Colour, tint: NDArray[np.float64]) -> Colour:
    red, green, blue = np.clip(np.multiply(colour, tint), 0, 255).astype(int).tolist()
    return red, green, blue


class Backdrop:
    """The still part of an activity's picture, larger than the frame so that the camera can move.

    Attributes:
        canvas: colours [rows, columns, 3] in 0..255; objects at rest may be drawn into it.
        size: width and height of the frame in pixels.
        margin: (x, y) of the frame's upper left corner on the canvas when the camera is at rest.
        view: where the camera stands.
    """

    def __init__(
        self, look: SceneLook, cover: Cover, size: tuple[int, int], rng: np.random.Generator
    ) -> None:
        width, height = size
        self.size = size
        self.margin = (round(SIDE_MARGIN * height), round(UPPER_MARGIN * height))
        rows, columns = height + 2 * self.margin[1], width + 2 * self.margin[0]
        self.view = _draw_viewpoint(rng, height, self.margin[1])
        self._row = np.arange(rows, dtype=np.float32)
        across = np.arange(columns, dtype=np.float32) - columns / 2
        self._depth = self.view.depths(self._row)
        self.canvas = self._draw_wall(look, across, rng)
        self._draw_surface(look, cover, across, rng)
        # The surface is darker where it meets the wall.
        gap = (self._row - self.view.edge) / height
        self.canvas *= (1 - 0.5 * np.exp(-np.abs(gap) / np.where(gap > 0, 0.05, 0.015)))[:, None, None]
        self.canvas *= look.light

    def depth(self, row: float) -> float:
        """Distance of what a row of the canvas shows; 1 at the frame's lower border."""
        return float(self.view.depths(np.array([row]))[0])

    def crop(self, canvas: Image, x: float, y: float) -> Image:
        """The frame [height, width, 3] seen by a camera displaced by (x, y) pixels.

        What is nearer moves more, as for a camera that is carried sideways.
        """
        width, height = self.size
        top = min(max(self.margin[1] + y, 0.0), canvas.shape[0] - height - 1.001)
        first = int(top)
        left = self.margin[0] + x / self._depth[first : first + height + 1]
        left = np.clip(left, 0.0, canvas.shape[1] - width - 1.001)
        column = left.astype(np.int32)
        runs = np.lib.stride_tricks.sliding_window_view(
            canvas.reshape(canvas.shape[0], -1), 3 * width, axis=1
        )
        row = np.arange(first, first + height + 1)
        near = runs[row, 3 * column]
        near += (left - column)[:, None] * (runs[row, 3 * column + 3] - near)
        frame = near[:-1] + np.float32(top - first) * (near[1:] - near[:-1])
        return frame.reshape(height, width, 3)

    def _draw_wall(self, look: SceneLook, across: Image, rng: np.random.Generator) -> Image:
        zoom = self.view.zoom * float(self._depth[0])
        u, v = np.meshgrid(across * zoom + self.view.shift[0], (self._row - self.view.edge) * zoom)
        wall = _sample(look.wall, u, v)
        height = self.size[1]
        for texture in look.decor:
            centre = rng.uniform(across[0], across[-1])
            base = self.view.edge - rng.uniform(0.02, 0.4) * height
            half, tall = rng.uniform(0.12, 0.35) * height, rng.uniform(0.2, 0.6) * height
            columns = np.abs(across - centre) < half
            rows = (self._row < base) & (self._row > base - tall)
            block = np.ix_(rows, columns)
            inner = (np.abs(across[columns] - centre) < half - 0.02 * height)[None, :]
            inner = inner & (np.abs(self._row[rows] - base + tall / 2) < tall / 2 - 0.02 * height)[:, None]
            picture = _sample(texture, u[block] * 1.4, v[block] * 1.4)
            wall[block] = np.where(inner[..., None], picture, 0.35 * picture)
        return wall

    def _draw_surface(self, look: SceneLook, cover: Cover, across: Image, rng: np.random.Generator) -> None:
        view, height = self.view, self.size[1]
        first = max(0, math.ceil(view.edge))
        depth = self._depth[first:, None]
        x = across[None, :] * depth / height
        # How far the surface reaches away from the camera while the depth grows by 1; in units of x.
        run = 0.9 * (view.lower - view.vanishing) / height
        scale = view.zoom * height
        surface = _sample(look.surface, x * scale + view.shift[0], depth * run * scale + view.shift[1])
        middle = self.depth(self.margin[1] + rng.uniform(0.54, 0.7) * height)
        dx = (x - rng.uniform(-0.12, 0.12)) / (0.62 * view.near)
        dz = (depth - middle) * run / (0.34 * view.near * middle)
        reach = np.hypot(dx, dz) if cover.round else np.maximum(np.abs(dx), np.abs(dz))
        texture = material(cover.material, rng, cover.colours)
        over = _sample(texture, x * scale * 1.3, depth * run * scale * 1.3)
        over *= (1 - 0.35 * np.clip((reach - 0.93) / 0.05, 0, 1))[..., None]
        surface *= (1 - 0.45 * np.exp(-np.clip(reach - 1, 0, None) / 0.06))[..., None]
        share = np.clip((1 - reach) * 60, 0, 1)[..., None]
        self.canvas[first:] = surface + share * (over - surface)


def _draw_viewpoint(rng: np.random.Generator, height: int, margin: int) -> Viewpoint:
    edge = rng.uniform(-0.12, 0.42)
    # From high above, lines that lead away meet far above the picture.
    vanishing = edge - rng.uniform(0.35, 1.3)
    return Viewpoint(
        lower=margin + height,
        edge=margin + edge * height,
        vanishing=margin + vanishing * height,
        zoom=float(rng.uniform(0.55, 1.1) * 180 / height),
        near=float(rng.uniform(0.85, 1.25)),
        shift=(float(rng.uniform(0, 256)), float(rng.uniform(0, 256))),
    )


def _sample(texture: Image, u: Image, v: Image) -> Image:
    """Bilinear samples of a texture that repeats; u and v in texture pixels, broadcast together."""
    size = texture.shape[0]
    u, v = np.broadcast_arrays(u % size, v % size)
    column, row = u.astype(np.int32), v.astype(np.int32)
    fu, fv = (u - column)[..., None], (v - row)[..., None]
    column, row = column % size, row % size
    right, below = (column + 1) % size, (row + 1) % size
    upper = texture[row, column] * (1 - fu) + texture[row, right] * fu
    lower = texture[below, column] * (1 - fu) + texture[below, right] * fu
    return (upper * (1 - fv) + lower * fv).astype(np.float32)
