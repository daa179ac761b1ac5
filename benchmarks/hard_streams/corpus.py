"""Renders a part: videos, `truth.csv` in the project's own format, and `kinds.csv` beside it."""

from __future__ import annotations

import csv
import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.hard_streams import shifts
from benchmarks.hard_streams.camera import Frame
from benchmarks.hard_streams.edited import render_edited
from benchmarks.hard_streams.parts import FPS, SIZE, STYLES, EditedStyle, Part
from benchmarks.hard_streams.script import write_script
from benchmarks.hard_streams.shifts import Shift
from benchmarks.hard_streams.truth import Piece, kind_rows, truth_rows
from pipelines.demo.encoding import encode
from streamer.atomic import atomic_write

LENGTHS = 0.1  # by what share videos of shots differ in length from the mean


@dataclass(frozen=True)
class Plan:
    """What a video shows.

    Attributes:
        pieces: the truth.
        frames: in order; they are drawn as they are asked for.
        crf: quality of the compression.
    """

    pieces: Sequence[Piece]
    frames: Iterator[Frame]
    crf: int


@dataclass(frozen=True)
class Video:
    """A video to render.

    Attributes:
        part: to which it belongs.
        number: of it in the part; with the part's seed it determines everything in it.
        style: of a video of shots; None for a video of machines.
    """

    part: Part
    number: int
    style: EditedStyle | None

    @property
    def name(self) -> str:
        """Its video_id."""
        return f"{self.part.name}_{self.number}_{self.style.name if self.style else 'machines'}"

    def plan(self) -> Plan:
        """Draws what happens in it."""
        rng = np.random.default_rng([self.part.seed, self.number])
        if self.style is None:
            shift = Shift(rng, self.part, self.part.machines_s)
            return Plan(shift.pieces(), shift.frames(), shifts.CRF)
        length = self.part.edited_s * rng.uniform(1 - LENGTHS, 1 + LENGTHS)
        script = write_script(rng, self.style, length)
        return Plan(script.pieces(), render_edited(rng, self.part, self.style, script), self.style.crf)

    def write(self, folder: Path) -> str:
        """Writes `videos/NAME.mp4`, and returns the name."""
        plan = self.plan()
        with atomic_write(folder / "videos" / f"{self.name}.mp4") as unfinished:
            encode(unfinished, plan.frames, SIZE, FPS, plan.crf)
        return self.name


def videos_of(part: Part, styles: Sequence[EditedStyle] = STYLES) -> list[Video]:
    """The videos of a part: one of each style, then the machines."""
    kinds = [*styles, *[None] * part.machines]
    return [Video(part, number, style) for number, style in enumerate(kinds)]


def render_part(
    part: Part,
    folder: Path,
    *,
    workers: int = 2,
    progress: Callable[[str], None] | None = None,
    styles: Sequence[EditedStyle] = STYLES,
) -> None:
    """Renders a part into a folder; what is there already is overwritten.

    Args:
        part: which.
        folder: gets `videos/`, `truth.csv` (levels motion, activity, scene; every level tiles each video),
            `kinds.csv` (video_id, time_s, level, kind, fade_s of every boundary) and `part.json`.
        workers: processes that render at the same time; with 1 this process does it all.
        progress: is told the name of every finished video.
        styles: of the videos of shots.
    """
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    videos = videos_of(part, styles)
    write_truth(videos, folder)
    with atomic_write(folder / "part.json") as unfinished:
        unfinished.write_text(json.dumps(asdict(part), indent=2) + "\n")
    for name in _written(videos, folder, workers):
        if progress is not None:
            progress(name)


def write_truth(videos: Sequence[Video], folder: Path) -> None:
    """Writes `truth.csv` and `kinds.csv`."""
    known = [(video.name, video.plan().pieces) for video in videos]
    truth = [row for name, pieces in known for row in truth_rows(name, pieces)]
    kinds = [row for name, pieces in known for row in kind_rows(name, pieces)]
    _write_table(folder / "truth.csv", ("video_id", "level", "start_s", "end_s", "label"), truth)
    _write_table(folder / "kinds.csv", ("video_id", "time_s", "level", "kind", "fade_s"), kinds)


def _written(videos: Sequence[Video], folder: Path, workers: int) -> Iterator[str]:
    if workers == 1:
        yield from (video.write(folder) for video in videos)
        return
    # Forking a process that has threads can hang; a fresh interpreter cannot.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(Video.write, videos, [folder] * len(videos))


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with atomic_write(path) as unfinished, open(unfinished, "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        for row in rows:
            table.writerow([f"{value:.6f}" if isinstance(value, float) else value for value in row])
