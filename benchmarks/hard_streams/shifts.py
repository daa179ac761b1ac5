"""Renders a video of machines: stations that run pattern after pattern."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.hard_streams.camera import Camera, Frame
from benchmarks.hard_streams.looks import draw_place
from benchmarks.hard_streams.machines import PATTERNS, Station
from benchmarks.hard_streams.parts import FPS, Part
from benchmarks.hard_streams.truth import Piece

ROOMS, STATIONS = 2, 2
"""Rooms of a video, stations of a room."""

EVENT_S = (4.5, 10.0)
"""Seconds of an event, about."""

LEAD, TAIL = 9, 3
"""A halt at the beginning of an event, and one at its end, take less than so many frames."""

RUNS, VISITS = (4, 8), (2, 4)
"""Events of an activity, which stays at a station, and activities of a scene: from, to before."""

NOISE, CRF = 3.0, 23


@dataclass(frozen=True)
class Run:
    """An event: a pattern that runs some cycles.

    Attributes:
        start: number of its first frame.
        lead: frames at rest before the first cycle.
        running: frames of all its cycles together.
        stop: number of the first frame after it; it is at rest for what is left after the cycles.
        room: number of the room.
        station: number of the station in the room.
        pattern: number of the pattern at the station.
        opens: index into `truth.LEVELS` of the coarsest level of which an event begins with it.
    """

    start: int
    lead: int
    running: int
    stop: int
    room: int
    station: int
    pattern: int
    opens: int


class Shift:
    """A video of machines.

    Args:
        rng: source of randomness.
        part: gives materials and colours.
        seconds: how long it is at least.

    Attributes:
        stations: of each room.
        runs: its events, in order, without gaps.
    """

    def __init__(self, rng: np.random.Generator, part: Part, seconds: float) -> None:
        self._rng = rng
        rooms = [draw_place(rng, part) for _ in range(ROOMS)]
        corners = [(0.0, 0.5), (1.0, 0.5)]
        self.stations = [
            [Station(rng, part, room.view(*corners[place], 1.1)) for place in range(STATIONS)]
            for room in rooms
        ]
        self.runs = self._plan(seconds)

    def pieces(self) -> list[Piece]:
        """The truth."""
        pieces = []
        for run in self.runs:
            kind = "start" if not run.start else "cut" if run.opens else "pattern"
            name = self.stations[run.room][run.station].kinds[run.pattern]
            station = f"room {run.room} station {run.station}"
            labels = (f"{station} {name}", station, f"room {run.room}")
            pieces.append(Piece(run.start, run.stop, labels, run.opens, kind))
        return pieces

    def frames(self) -> Iterator[Frame]:
        """The frames, in order."""
        camera = Camera(self._rng, self.runs[-1].stop, 0.0, NOISE)
        for run in self.runs:
            station = self.stations[run.room][run.station]
            cycle = station.cycle(run.pattern)
            # Every cycle looks the same, so each of its pictures is drawn once.
            states = [station.state(run.pattern, since) for since in range(cycle)]
            rest = station.state(run.pattern, None)
            for number in range(run.start, run.stop):
                since = number - run.start - run.lead
                picture, shift = states[since % cycle] if 0 <= since < run.running else rest
                yield camera.take(picture, number, shift)

    def _plan(self, seconds: float) -> list[Run]:
        runs: list[Run] = []
        room, station = 0, 0
        while not runs or runs[-1].stop < seconds * FPS:
            for visit in range(int(self._rng.integers(*VISITS))):
                self._stay(runs, room, station, new_scene=visit == 0)
                station = (station + 1) % STATIONS
            room = (room + 1) % ROOMS
        return runs

    def _stay(self, runs: list[Run], room: int, station: int, *, new_scene: bool) -> None:
        """Adds the events of an activity."""
        pattern = -1
        for place in range(int(self._rng.integers(*RUNS))):
            drawn = int(self._rng.integers(PATTERNS - (pattern >= 0)))
            pattern = drawn + (0 <= pattern <= drawn)
            cycle = self.stations[room][station].cycle(pattern)
            lead, tail = (int(halt) for halt in self._rng.integers([LEAD, TAIL]))
            running = int(self._rng.uniform(*EVENT_S) * FPS) // cycle * cycle
            start = runs[-1].stop if runs else 0
            opens = 0 if place else 2 if new_scene else 1
            stop = start + lead + running + tail
            runs.append(Run(start, lead, running, stop, room, station, pattern, opens))
