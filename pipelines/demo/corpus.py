"""Renders the demonstration corpus: H.264 videos and the exact times of the events in them."""

import csv
import io
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from pipelines.demo.frames import render_frames
from pipelines.demo.plan import VideoPlan, plan_video
from streamer.errors import ConfigError

RECORD = "corpus.json"
DRAWING = 1
"""Raised when the same parameters come to give other videos, so that corpora drawn before are redone."""
FEWEST_FRAMES = 40


@dataclass(frozen=True)
class _Parameters:
    seed: int
    videos: int
    seconds: float
    size: tuple[int, int]
    fps: int

    def __post_init__(self) -> None:
        if self.seed < 0 or self.videos < 1 or self.fps < 1:
            raise ConfigError(
                f"demo corpus: seed {self.seed}, videos {self.videos}, fps {self.fps}:"
                " give a seed of at least 0 and at least 1 video and 1 frame a second"
            )
        if min(self.size) < 32 or any(side % 2 for side in self.size):
            raise ConfigError(
                f"demo corpus: size {self.size[0]}x{self.size[1]}: give even sides of at least 32 pixels"
            )
        if self.seconds * self.fps < FEWEST_FRAMES:
            raise ConfigError(
                f"demo corpus: {self.seconds} s at {self.fps} frames a second are too short for nested events:"
                f" give at least {FEWEST_FRAMES / self.fps:.1f} s"
            )

    def plans(self) -> list[VideoPlan]:
        return [
            plan_video(self.seed, index, seconds=self.seconds, size=self.size, fps=self.fps)
            for index in range(self.videos)
        ]


def render_corpus(
    folder: Path,
    *,
    seed: int = 0,
    videos: int = 6,
    seconds: float = 60.0,
    size: tuple[int, int] = (320, 180),
    fps: int = 15,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Renders videos with known nested events, unless the folder holds the same corpus already.

    Writes `videos/NAME.mp4` and `truth.csv` (`video_id,level,start_s,end_s,label`; levels "motion",
    "activity" and "scene", finest first; every level tiles each video, and every boundary of a level is one of
    the levels before it). `corpus.json` records the parameters and the files. Nothing else in the folder is
    touched, but for videos of a corpus with other parameters rendered there before, which are removed.

    Args:
        folder: where the corpus goes; made if absent.
        seed: equal seeds give equal truth and, before encoding, equal frames.
        videos: how many.
        seconds: their mean length; each differs from it by up to a tenth.
        size: width and height in pixels, both even.
        fps: frames a second.
        workers: processes that render at the same time; with 1 this process does it all.
        progress: called with (videos done, videos) at the start and after each video.

    Raises:
        ConfigError: the parameters do not make a corpus.
        OSError: the folder cannot be written.
    """
    parameters = _Parameters(seed, videos, float(seconds), (size[0], size[1]), fps)
    record = _read_record(folder)
    if record is not None and _is_complete(folder, record, parameters):
        if progress is not None:
            progress(videos, videos)
        return
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    _forget(folder, record)
    plans = parameters.plans()
    _render_videos(folder, plans, workers, progress)
    _write_atomic(folder / "truth.csv", _truth_table(plans).encode())
    files = ["truth.csv", *(_video_path(plan) for plan in plans)]
    content = {**_fingerprint(parameters), "files": {name: (folder / name).stat().st_size for name in files}}
    _write_atomic(folder / RECORD, (json.dumps(content, indent=2) + "\n").encode())


def _video_path(plan: VideoPlan) -> str:
    return f"videos/{plan.name}.mp4"


def _fingerprint(parameters: _Parameters) -> dict[str, Any]:
    return {"drawing": DRAWING, **asdict(parameters), "size": list(parameters.size)}


def _read_record(folder: Path) -> dict[str, Any] | None:
    """What `corpus.json` says; None where there is none or it is damaged, and the corpus has to be redone."""
    try:
        record = json.loads((folder / RECORD).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("files"), dict) else None


def _is_complete(folder: Path, record: dict[str, Any], parameters: _Parameters) -> bool:
    expected = _fingerprint(parameters)
    if {key: record.get(key) for key in expected} != expected:
        return False
    paths = {folder / name: size for name, size in record["files"].items()}
    return all(path.is_file() and path.stat().st_size == size for path, size in paths.items())


def _forget(folder: Path, record: dict[str, Any] | None) -> None:
    """Removes the record first, so that what is left of an interrupted run is never taken for a corpus."""
    (folder / RECORD).unlink(missing_ok=True)
    for name in (record or {}).get("files", {}):
        path = folder / name
        # The record is a file that others may have edited: it must not lead out of the corpus.
        if path.parent == folder / "videos" and path.suffix == ".mp4":
            path.unlink(missing_ok=True)


def _render_videos(
    folder: Path, plans: list[VideoPlan], workers: int, progress: Callable[[int, int], None] | None
) -> None:
    report = progress or (lambda done, total: None)
    report(0, len(plans))
    if workers <= 1:
        for done, plan in enumerate(plans, 1):
            _write_video(folder / _video_path(plan), plan)
            report(done, len(plans))
        return
    # Forking a process that has threads (torch, Ray) can hang; a fresh interpreter cannot.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(plans)), mp_context=context) as pool:
        jobs = [pool.submit(_write_video, folder / _video_path(plan), plan) for plan in plans]
        for done, job in enumerate(as_completed(jobs), 1):
            job.result()
            report(done, len(plans))


def _write_video(path: Path, plan: VideoPlan) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        _encode(part, render_frames(plan), plan.size, plan.fps)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _encode(path: Path, frames: Iterable[NDArray[np.uint8]], size: tuple[int, int], fps: int) -> None:
    options = {"preset": "veryfast", "crf": "23", "g": "250", "bf": "3"}
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        # Rendering already runs in as many processes as are wanted.
        stream.codec_context.thread_count = 1
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _truth_table(plans: list[VideoPlan]) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["video_id", "level", "start_s", "end_s", "label"])
    for plan in plans:
        for level, start, end, label in plan.truth():
            writer.writerow([plan.name, level, f"{start:.6f}", f"{end:.6f}", label])
    return table.getvalue()


def _write_atomic(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
