"""What happens in a video of shots: scenes in rooms, shots of each, and motions within a shot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.hard_streams.parts import FPS, EditedStyle
from benchmarks.hard_streams.truth import Piece

ROOMS, OBJECTS = 5, 8
"""How many rooms and objects a video has; rooms and objects come again."""

MANNERS = ("slide", "circle", "hop", "swing", "spin")
"""How an object moves."""

MOTION_S, MOTIONS, SHOTS = (2.0, 6.0), (1, 5), (2, 7)
"""Seconds of a motion, motions of a shot, shots of a scene: from, to before."""

FADE_S, LIGHT_S = (0.5, 1.5), (0.3, 1.5)
"""Seconds of a cross-fade and of a change of the light."""

SUDDEN = 0.25
"""Share of the changes of light that take no time, as a lamp switched on."""


@dataclass(frozen=True)
class Motion:
    """A motion: an object and how it moves.

    Attributes:
        start: number of its first frame.
        stop: number of the first frame after it.
        thing: number of the object.
        manner: one of `MANNERS`.
        phase: where in its movement it begins, in turns.
        reach: of its movement, as a share of the picture's height.
    """

    start: int
    stop: int
    thing: int
    manner: str
    phase: float
    reach: float


@dataclass(frozen=True)
class Shot:
    """A shot: a view of a room, in which motions follow each other.

    Attributes:
        room: number of the room.
        view: x and y in 0..1, and zoom, as `looks.Place.view` takes them.
        fade: frames of the cross-fade around its beginning; 0 for a cut.
        motions: in order, without gaps.
        new_scene: whether a scene begins with it.
    """

    room: int
    view: tuple[float, float, float]
    fade: int
    motions: tuple[Motion, ...]
    new_scene: bool

    @property
    def start(self) -> int:
        """Number of its first frame; of a cross-fade, of the frame in its middle."""
        return self.motions[0].start

    @property
    def stop(self) -> int:
        """Number of the first frame after it."""
        return self.motions[-1].stop


@dataclass(frozen=True)
class Dimming:
    """A change of the light.

    Attributes:
        start: number of the frame with which it begins.
        frames: how long it takes, at least 1.
        gains: of red, green and blue, afterwards.
    """

    start: int
    frames: int
    gains: tuple[float, float, float]


@dataclass(frozen=True)
class Script:
    """All that happens in a video of shots.

    Attributes:
        shots: in order, without gaps.
        light: changes of the light, in order.
    """

    shots: tuple[Shot, ...]
    light: tuple[Dimming, ...]

    @property
    def frames(self) -> int:
        """Of the video."""
        return self.shots[-1].stop

    def pieces(self) -> list[Piece]:
        """The truth."""
        pieces: list[Piece] = []
        scene = activity = -1
        for shot in self.shots:
            scene, activity = scene + shot.new_scene, activity + 1
            for motion in shot.motions:
                first = motion is shot.motions[0]
                opens = (2 if shot.new_scene else 1) if first else 0
                kind = ("fade" if shot.fade else "cut") if first else "change"
                labels = (f"{motion.manner} {motion.thing}", f"shot {activity}", f"room {shot.room}")
                fade = shot.fade if first else 0
                pieces.append(
                    Piece(motion.start, motion.stop, labels, opens, kind if pieces else "start", fade)
                )
        return pieces


def write_script(rng: np.random.Generator, style: EditedStyle, seconds: float) -> Script:
    """Draws what happens in a video of about so many seconds."""
    shots: list[Shot] = []
    room, start = -1, 0
    while start < seconds * FPS:
        room = _other(rng, ROOMS, room)
        for place in range(int(rng.integers(*SHOTS))):
            fade = round(rng.uniform(*FADE_S) * FPS) if shots and rng.random() < style.fades else 0
            motions = _motions(rng, start)
            view = (rng.random(), rng.random(), rng.uniform(1.0, 1.8))
            shots.append(Shot(room, view, fade, motions, new_scene=place == 0))
            start = motions[-1].stop
    return Script(tuple(shots), _light(rng, style, shots))


def _motions(rng: np.random.Generator, start: int) -> tuple[Motion, ...]:
    motions: list[Motion] = []
    thing = manner = -1
    for _ in range(int(rng.integers(*MOTIONS))):
        # Either another object, or the same one that moves otherwise.
        if thing < 0 or rng.random() < 0.6:
            thing = _other(rng, OBJECTS, thing)
        manner = _other(rng, len(MANNERS), manner)
        stop = start + round(rng.uniform(*MOTION_S) * FPS)
        motions.append(Motion(start, stop, thing, MANNERS[manner], rng.random(), rng.uniform(0.15, 0.35)))
        start = stop
    return tuple(motions)


def _light(rng: np.random.Generator, style: EditedStyle, shots: list[Shot]) -> tuple[Dimming, ...]:
    """Changes of the light in the middle of shots, well away from their ends."""
    changes = []
    for shot in shots:
        margin = round(2.0 * FPS)
        if rng.random() >= style.lighting or shot.stop - shot.start < 2 * margin + 2:
            continue
        frames = 1 if rng.random() < SUDDEN else round(rng.uniform(*LIGHT_S) * FPS)
        start = int(rng.integers(shot.start + margin, shot.stop - margin))
        strength = rng.uniform(0.55, 1.35)
        gains = np.clip(strength * rng.uniform(0.88, 1.12, 3), 0.5, 1.5)
        changes.append(Dimming(start, frames, (float(gains[0]), float(gains[1]), float(gains[2]))))
    return tuple(changes)


def _other(rng: np.random.Generator, count: int, last: int) -> int:
    """A number below `count` other than the last one."""
    drawn = int(rng.integers(count - (last >= 0)))
    return drawn + (0 <= last <= drawn)
