"""Renders a video of shots."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from benchmarks.hard_streams.camera import Camera, Frame
from benchmarks.hard_streams.looks import HEIGHT, WIDTH, Picture, draw_object, draw_place
from benchmarks.hard_streams.parts import FPS, EditedStyle, Part
from benchmarks.hard_streams.script import OBJECTS, ROOMS, Motion, Script, Shot

TURNS_PER_S = 0.4
"""How fast objects go round, swing and hop."""

THING_SCALE = 0.75  # pixels of the picture per pixel of an object's sprite


def render_edited(
    rng: np.random.Generator, part: Part, style: EditedStyle, script: Script
) -> Iterator[Frame]:
    """The frames of a video of shots, in order."""
    rooms = [draw_place(rng, part) for _ in range(ROOMS)]
    things = [draw_object(rng, part) for _ in range(OBJECTS)]
    gains = light_gains(script) * style.gain
    camera = Camera(rng, script.frames, style.shake, style.noise)
    backdrops: dict[int, Picture] = {}

    def draw(place: int, number: int) -> Picture:
        shot = script.shots[place]
        if place not in backdrops:
            backdrops.pop(place - 2, None)
            backdrops[place] = rooms[shot.room].view(*shot.view)
        picture = backdrops[place].copy()
        motion = _motion_at(shot, number)
        things[motion.thing].draw(picture, *_position(motion, number))
        return picture

    for place, shot in enumerate(script.shots):
        for number in range(shot.start, shot.stop):
            picture = draw(place, number)
            other, weight = _mixed_in(script, place, number)
            if weight > 0:
                picture = (1 - weight) * picture + weight * draw(other, number)
            yield camera.take(picture * gains[number], number)


def light_gains(script: Script) -> np.ndarray:
    """Gains of red, green and blue in every frame, float32 [frames, 3]."""
    gains = np.ones((script.frames, 3), np.float32)
    for change in script.light:
        before = gains[change.start - 1].copy()
        share = np.clip((np.arange(script.frames - change.start) + 1) / change.frames, 0, 1)[:, None]
        gains[change.start :] = before + share * (np.asarray(change.gains, np.float32) - before)
    return gains


def _mixed_in(script: Script, place: int, number: int) -> tuple[int, float]:
    """Which other shot is seen through in a cross-fade, and how much; the middle is half and half."""
    shot = script.shots[place]
    since, until = number - shot.start, shot.stop - number
    if since < shot.fade / 2:
        return place - 1, 0.5 - (since + 0.5) / shot.fade
    after = script.shots[place + 1].fade if place + 1 < len(script.shots) else 0
    if until <= after / 2:
        return place + 1, 0.5 - (until - 0.5) / after
    return place, 0.0


def _motion_at(shot: Shot, number: int) -> Motion:
    """The motion of a frame; the first and the last one go on where the shot is seen in a cross-fade."""
    later = [motion for motion in shot.motions if number < motion.stop]
    return later[0] if later else shot.motions[-1]


def _position(motion: Motion, number: int) -> tuple[float, float, float, float]:
    """x, y, angle and scale of the moved object."""
    turn = 2 * math.pi * (motion.phase + TURNS_PER_S * (number - motion.start) / FPS)
    reach = motion.reach * HEIGHT
    x, y, angle = WIDTH / 2, 0.6 * HEIGHT, 0.0
    if motion.manner == "slide":
        x += 1.8 * reach * math.sin(turn / 2)
    elif motion.manner == "circle":
        x, y = x + reach * math.cos(turn), y + reach * math.sin(turn)
    elif motion.manner == "hop":
        y -= 1.5 * reach * abs(math.sin(turn))
    elif motion.manner == "swing":
        angle = 0.8 * math.sin(turn)
    else:
        angle = turn
    return x, y, angle, THING_SCALE
