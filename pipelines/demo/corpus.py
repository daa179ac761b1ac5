"""Renders the demonstration corpus: H.264 videos and the exact times of the events in them."""

import csv
import io
import json
import math
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.demo.encoding import encode
from pipelines.demo.frames import render_frames
from pipelines.demo.plan import VideoPlan, plan_video
from streamer.atomic import atomic_write
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
        if not (math.isfinite(self.seconds) and self.seconds * self.fps >= FEWEST_FRAMES):
            raise ConfigError(
                f"demo corpus: no nested events fit into {self.seconds} s at {self.fps} frames a second:"
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
    "activity" and "scene", finest first; every level tiles each video, and every boundary of a level is also
    one of the finer levels). `corpus.json` records the parameters and the files. Nothing else in the folder
    is touched, but for the videos of a corpus rendered there before, which are removed.

    Args:
        folder: where the corpus goes; made if absent.
        seed: equal seeds give equal truth, equal frames and, with the same encoder, equal files.
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
    assert workers >= 1, "somebody has to render"
    parameters = _Parameters(seed, videos, float(seconds), (size[0], size[1]), fps)
    record = _read_record(folder)
    if record is not None and _is_complete(folder, record, parameters):
        if progress is not None:
            progress(videos, videos)
        return
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    _remove_videos(folder, record)
    plans = parameters.plans()
    names = ["truth.csv", *(_video_path(plan) for plan in plans)]
    # Written before the videos, so that a later call knows what an interrupted one has left.
    _write_record(folder, parameters, dict.fromkeys(names))
    _render_videos(folder, plans, workers, progress)
    with atomic_write(folder / "truth.csv") as part:
        part.write_bytes(_truth_table(plans).encode())
    _write_record(folder, parameters, {name: (folder / name).stat().st_size for name in names})


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


def _write_record(folder: Path, parameters: _Parameters, files: Mapping[str, int | None]) -> None:
    """Writes `corpus.json`; `files` gives the size in bytes of what is complete, else None."""
    content = {**_fingerprint(parameters), "files": files}
    with atomic_write(folder / RECORD) as part:
        part.write_text(json.dumps(content, indent=2) + "\n")


def _is_complete(folder: Path, record: dict[str, Any], parameters: _Parameters) -> bool:
    expected = _fingerprint(parameters)
    if {key: record.get(key) for key in expected} != expected:
        return False
    paths = {folder / name: size for name, size in record["files"].items()}
    return all(path.is_file() and path.stat().st_size == size for path, size in paths.items())


def _remove_videos(folder: Path, record: dict[str, Any] | None) -> None:
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
    if workers == 1:
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
    with atomic_write(path) as part:
        encode(part, render_frames(plan), plan.size, plan.fps)


def _truth_table(plans: list[VideoPlan]) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["video_id", "level", "start_s", "end_s", "label"])
    for plan in plans:
        for level, start, end, label in plan.truth():
            writer.writerow([plan.name, level, f"{start:.6f}", f"{end:.6f}", label])
    return table.getvalue()
