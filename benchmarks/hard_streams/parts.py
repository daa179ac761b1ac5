"""What there is to render: two parts that share no seed, no material and no colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SIZE = (320, 180)
"""Width and height of the videos in pixels."""

FPS = 12
"""Frames a second: a snippet of half a second is six frames."""


@dataclass(frozen=True)
class EditedStyle:
    """What makes a video of shots hard.

    Attributes:
        name: of the style, part of the video's name.
        fades: share of the changes of shot that are cross-fades; the others are cuts.
        lighting: share of the shots inside which the light changes.
        shake: how far a hand moves the camera, in pixels (standard deviation).
        noise: of the sensor, standard deviation in grey levels.
        crf: quality of the compression as x264 counts it; more is worse.
        gain: of the whole picture; below 1 it is dark.
    """

    name: str
    fades: float
    lighting: float
    shake: float
    noise: float
    crf: int
    gain: float = 1.0


STYLES = (
    EditedStyle("cuts", 0.0, 0.1, 0.0, 3.0, 23),
    EditedStyle("fades", 0.8, 0.1, 0.0, 3.0, 23),
    EditedStyle("light", 0.2, 0.9, 0.0, 3.0, 23),
    EditedStyle("shake", 0.2, 0.2, 4.0, 3.0, 23),
    EditedStyle("rough", 0.2, 0.2, 1.5, 12.0, 34, 0.55),
    EditedStyle("all", 0.5, 0.6, 3.0, 8.0, 30, 0.8),
)
"""One video of each is in either part."""


@dataclass(frozen=True)
class Part:
    """Development or test.

    Attributes:
        name: of the part.
        seed: of everything in it.
        materials: of walls, floors and objects, names in `pipelines.demo.textures.MATERIALS`.
        hues: from which every colour comes, ranges in 0..1 of the colour circle.
        edited_s: mean length of a video of shots in seconds.
        machines_s: length of a video of machines in seconds.
        machines: how many of these there are.
    """

    name: str
    seed: int
    materials: tuple[str, ...]
    hues: tuple[tuple[float, float], ...]
    edited_s: float = 270.0
    machines_s: float = 1080.0
    machines: int = 2


PARTS: Mapping[str, Part] = {
    "dev": Part(
        "dev",
        1729,
        ("wood", "tile", "fabric", "stone", "soil", "plaster"),
        ((0.00, 0.08), (0.25, 0.33), (0.50, 0.58), (0.75, 0.83)),
    ),
    "test": Part(
        "test",
        65537,
        ("brick", "checker", "metal", "foliage", "paper"),
        ((0.12, 0.20), (0.37, 0.45), (0.62, 0.70), (0.87, 0.95)),
    ),
}
"""Settings are chosen on `dev`; `test` is for the one measurement that is reported."""
