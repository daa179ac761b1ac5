"""Speed and memory of the decoders: video to snippets."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.child import in_child, peak_mib
from benchmarks.material import encode
from benchmarks.report import spread
from streamer.errors import VideoError
from streamer.sources import Decoder, open_source
from streamer.video import available_decoders

SNIPPET_S = 0.5
FRAME_SIZE = 128
RATE = 30


def measure(name: str, uri: str, decoder: Decoder, repetitions: int) -> dict[str, Any]:
    """Decodes a video from start to end; CPU seconds count all threads."""
    before_mib = peak_mib()
    cpu, wall, first = [], [], []
    count, reason = 0, None
    try:
        for _ in range(repetitions):
            started, used = time.perf_counter(), time.process_time()
            with open_source(uri, snippet_size=SNIPPET_S, frame_size=FRAME_SIZE, decoder=decoder) as source:
                snippets = iter(source)
                next(snippets)
                first.append(time.perf_counter() - started)
                count = 1 + sum(1 for _ in snippets)
            wall.append(time.perf_counter() - started)
            cpu.append(time.process_time() - used)
    except VideoError as error:
        reason = error.reason
    median = statistics.median(cpu) if cpu else None
    return {
        "video": name,
        "decoder": decoder,
        "snippets": count,
        "snippets/CPU s": count / median if median else None,
        "times real time": count * SNIPPET_S / median if median else None,
        "spread": spread(cpu),
        "first s": statistics.median(first) if first else None,
        "peak MiB": peak_mib(),
        "before MiB": before_mib,
        "fault": reason,
        "cpu_s": cpu,
        "wall_s": wall,
    }


def run(video: Path | None, repetitions: int) -> list[dict[str, Any]]:
    """Measures both decoders on generated clips and on a given video."""
    with tempfile.TemporaryDirectory() as folder:
        clips = {
            "generated 360p": _clip(Path(folder) / "360p.mp4", 40, 360, 640),
            "generated 1080p": _clip(Path(folder) / "1080p.mp4", 10, 1080, 1920),
        }
        if video is not None:
            clips[video.name] = video
        return [row for name, path in clips.items() for row in _compare(name, path, repetitions)]


def _compare(name: str, path: Path, repetitions: int) -> list[dict[str, Any]]:
    """One row per decoder, each with its speed relative to the default one."""
    rows = [in_child(measure, name, str(path), decoder, repetitions) for decoder in available_decoders()]
    default = rows[0]["snippets/CPU s"]
    for row in rows:
        speed = row["snippets/CPU s"]
        row["to pyav"] = speed / default if speed and default else None
    return rows


def _clip(path: Path, seconds: float, height: int, width: int) -> Path:
    return in_child(encode, path, seconds=seconds, rate=RATE, height=height, width=width, scene_s=2.5)
