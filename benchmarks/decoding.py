"""What video to snippets costs: both decoders, the cache, and FFmpeg's own program that only decodes."""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.child import Children, in_child, peak_mib
from benchmarks.material import scenes
from benchmarks.report import spread
from streamer.errors import VideoError
from streamer.snippet_cache import PART_SNIPPETS, RecordingEnd, SnippetCache, SnippetSettings
from streamer.video import SnippetGrid, available_decoders, open_snippets
from streamer.video.pyav_reader import PyavReader

SNIPPET_S = 0.5
FRAME_SIZE = 128
RATE = 30
SCENE_FRAMES = 75
GRID = SnippetGrid(SNIPPET_S, FRAME_SIZE)
SETTINGS = SnippetSettings(SNIPPET_S, FRAME_SIZE)
EVERY_FRAME = "pyav, every frame"
FFMPEG = ("ffmpeg", "-v", "error", "-nostdin", "-threads", "1")


class EveryFrameReader(PyavReader):
    """Decodes every frame, also where no snippet shows it and no other frame needs it."""

    def _skip(self) -> None:
        pass


def snippets_of(way: str, uri: str, cache: str) -> Iterator[np.ndarray]:
    """A video's snippets, got in one of the ways that are compared, by one thread.

    Raises:
        VideoError: the video cannot be read this way.
    """
    if way == "cache":
        recording = SnippetCache(cache).recording(uri, SETTINGS)
        assert recording is not None
        assert recording.end is not None
        for number in range(-(-recording.end.snippets // PART_SNIPPETS)):
            part = recording.part(number)
            assert part is not None
            yield from map(np.array, part)
        return
    if way == EVERY_FRAME:
        reader = EveryFrameReader(uri, GRID, 1)
    else:
        reader = open_snippets(uri, GRID, decoder="decord" if way == "decord" else "pyav")
    with reader:
        yield from reader


def measure(way: str, uri: str, cache: str) -> dict[str, Any]:
    """Gets all snippets once; CPU seconds count all threads, or the program that is run."""
    before_mib = peak_mib()
    if way == "ffmpeg":
        return {**_run_ffmpeg(uri), "before": before_mib, "peak": before_mib}
    started, used = time.perf_counter(), time.process_time()
    snippets = snippets_of(way, uri, cache)
    next(snippets)
    first_s = time.perf_counter() - started
    count = 1 + sum(1 for _ in snippets)
    cpu_s = time.process_time() - used
    return {"cpu": cpu_s, "count": count, "first": first_s, "before": before_mib, "peak": peak_mib()}


def _run_ffmpeg(uri: str) -> dict[str, Any]:
    """Decodes to nowhere with FFmpeg's program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*FFMPEG, "-i", uri, "-map", "0:v:0", "-f", "null", "-"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {"cpu": cpu_s, "count": None, "first": None}


def fill(uri: str, cache: str) -> float:
    """Stores a video's snippets in a cache; returns how many seconds the video lasts."""
    recording = SnippetCache(cache).recording(uri, SETTINGS)
    assert recording is not None
    with open_snippets(uri, GRID) as reader:
        whole = np.stack(list(reader))
    for number, start in enumerate(range(0, len(whole), PART_SNIPPETS)):
        recording.store_part(number, whole[start : start + PART_SNIPPETS])
    assert reader.duration_s is not None
    recording.store_end(RecordingEnd(len(whole), reader.duration_s, None))
    return reader.duration_s


def run(video: Path | None, repetitions: int) -> list[dict[str, Any]]:
    """Measures on generated clips and on a given video."""
    with tempfile.TemporaryDirectory() as folder:
        clips = {
            "360p, B-frames": _clip(Path(folder) / "360p.mp4", 40, 360, 640, bframes=3),
            "1080p, B-frames": _clip(Path(folder) / "1080p.mp4", 6, 1080, 1920, bframes=3),
            "1080p, none": _clip(Path(folder) / "plain.mp4", 6, 1080, 1920, bframes=0),
        }
        if video is not None:
            clips[video.name] = video
        return [row for name, path in clips.items() for row in _compare(name, path, repetitions, folder)]


def _compare(name: str, path: Path, repetitions: int, folder: str) -> list[dict[str, Any]]:
    """One row per way; they take turns, each in a process of its own."""
    ways = ["ffmpeg", EVERY_FRAME, *available_decoders(), "cache"]
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    faults: dict[str, str] = {}
    if shutil.which("ffmpeg") is None:
        faults["ffmpeg"] = "no ffmpeg on the PATH"
    duration_s = in_child(fill, str(path), folder)
    with Children(ways) as children:
        for _ in range(repetitions):
            for way in ways:
                if way in faults:
                    continue
                try:
                    runs[way].append(children.call(way, measure, way, str(path), folder))
                except VideoError as error:
                    faults[way] = error.reason
    every_s = statistics.median(result["cpu"] for result in runs[EVERY_FRAME])
    return [_row(name, way, runs[way], duration_s, every_s, faults.get(way)) for way in ways]


def _row(
    name: str, way: str, runs: list[dict[str, Any]], duration_s: float, every_s: float, fault: str | None
) -> dict[str, Any]:
    """A line of the table; `every_s` are the CPU seconds of decoding every frame."""
    cpu = [result["cpu"] for result in runs]
    used_s = statistics.median(cpu) if cpu else None
    first = [result["first"] for result in runs if result["first"] is not None]
    return {
        "video": name,
        "way": way,
        "snippets": runs[0]["count"] if runs else None,
        "CPU s per hour": used_s / duration_s * 3600 if used_s else None,
        "to every frame": used_s / every_s if used_s else None,
        "times real time": duration_s / used_s if used_s else None,
        "spread": spread(cpu) if cpu else None,
        "first s": statistics.median(first) if first else None,
        "MiB above start": max(result["peak"] - result["before"] for result in runs) if runs else None,
        "fault": fault,
        "cpu_s": cpu,
    }


def _clip(path: Path, seconds: int, height: int, width: int, bframes: int) -> Path:
    return in_child(encode, path, seconds * RATE, height, width, bframes)


def encode(path: Path, frames: int, height: int, width: int, bframes: int) -> Path:
    """Encodes scenes as H.264 with at most so many B-frames in a row, and a key frame at every cut."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "26", "threads": "1", "bf": str(bframes)}
        for image in scenes(frames, height, width, scene_frames=SCENE_FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image))))
        container.mux(stream.encode(None))
    return path
