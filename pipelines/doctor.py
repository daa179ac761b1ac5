"""The `doctor` command: tries what a run will need, and says in plain words what works."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from rich.console import Console

from pipelines.config import DoctorConfig
from pipelines.run_folder import RunFolder
from pipelines.session import ray_session
from pipelines.tracking import Tracker
from streamer.atomic import atomic_write
from streamer.errors import StreamerError, VideoError
from streamer.sources import Decoder
from streamer.video import SnippetGrid, available_decoders, open_snippets

LOW_DISK_BYTES = 2 * 2**30
CLIP_SECONDS = 2


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        works: whether a run can rely on it.
        text: in plain words, with the remedy where it does not work.
        warns: whether it deserves a look although it works.
    """

    works: bool
    text: str
    warns: bool = False


def doctor(config: DoctorConfig, console: Console) -> int:
    """Makes all checks, each on its own.

    Returns:
        Exit code: 0 where all works, else 1.
    """
    healthy = True
    started = time.monotonic()
    for name, finding in _findings(config):
        healthy &= finding.works
        now = time.monotonic()
        console.print(f"{_mark(finding)} {name:9s}", end="")
        console.print(
            f"{finding.text} ({now - started:.1f} s)", highlight=False, markup=False, soft_wrap=True
        )
        started = now
    return 0 if healthy else 1


def _mark(finding: Finding) -> str:
    if not finding.works:
        return "[red]trouble[/red]"
    return "[yellow]warning[/yellow]" if finding.warns else "[green]ok[/green]     "


def _findings(config: DoctorConfig) -> Iterator[tuple[str, Finding]]:
    """What was checked, and what was found, one after the other."""
    folder = Path(config.out).absolute()
    yield "Python", _check_python()
    yield "compute", _check_compute()
    yield "PyAV", check_decoder("pyav")
    yield "decord", check_decoder("decord")
    yield "disk", _check_disk(folder)
    yield "tracking", _check_tracking()
    if config.cluster:
        from pipelines.cluster_doctor import check_cluster  # which asks nodes to make checks of this module

        yield from check_cluster(config, folder)
    else:
        yield "Ray", _check_ray()


def _check_python() -> Finding:
    return Finding(True, f"Python {platform.python_version()} on {platform.platform(terse=True)}")


def _check_compute() -> Finding:
    cores = f"torch {torch.__version__}, {os.cpu_count()} CPU cores"
    if not torch.cuda.is_available():
        return Finding(True, f"{cores}, no GPU: models train on the CPU")
    names = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    return Finding(True, f"{cores}, GPUs: {names}")


def check_decoder(decoder: Decoder) -> Finding:
    """Encodes a clip of H.264 and reads it back."""
    if decoder not in available_decoders():
        return Finding(True, "not installed; only --decoder decord needs it")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        _encode_clip(path)
        try:
            with open_snippets(str(path), SnippetGrid(frame_size=16), decoder=decoder) as reader:
                snippets = len(list(reader))
        except VideoError as error:
            return Finding(False, f"cannot read a clip that was just encoded: {error.reason}: reinstall it")
    expected = int(CLIP_SECONDS / SnippetGrid().snippet_size)
    if snippets != expected:
        return Finding(False, f"read {snippets} snippets where there are {expected}: reinstall it")
    return Finding(True, f"reads H.264, {snippets} snippets of {snippets}")


def _encode_clip(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for brightness in range(10 * CLIP_SECONDS):
            image = np.full((48, 64, 3), 10 * brightness, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def nearest_folder(folder: Path) -> Path:
    """`folder`, or the nearest one above it that exists."""
    while not folder.exists():
        folder = folder.parent
    return folder


def _check_disk(folder: Path) -> Finding:
    there = nearest_folder(folder)
    try:
        with tempfile.TemporaryDirectory(dir=there) as scratch, atomic_write(Path(scratch) / "file") as path:
            path.write_bytes(b"streamer")
    except OSError as error:
        return Finding(False, f"{there} cannot be written: {error.strerror}: choose another --out")
    free = shutil.disk_usage(there).free
    text = f"{there} can be written, {free / 2**30:.1f} GB free"
    if free < LOW_DISK_BYTES:
        return Finding(False, f"{text}: that is little, free some or choose another --out")
    return Finding(True, text)


def _check_tracking() -> Finding:
    with tempfile.TemporaryDirectory() as folder:
        try:
            tracker = Tracker(RunFolder(folder), "streamer doctor", "doctor", None, source="streamer doctor")
            tracker.log_metrics({"works": 1.0})
            tracker.close()
        except StreamerError as error:
            return Finding(False, str(error))
    where = os.environ.get("MLFLOW_TRACKING_URI") or "SQLite in the folder of each run"
    return Finding(True, f"MLflow records runs ({where})")


def _add(a: int, b: int) -> int:
    return a + b


def _check_ray() -> Finding:
    try:
        with ray_session(workers=1, decode_cpus=0.5):
            import ray

            resources = ray.cluster_resources()
            nodes = len(ray.nodes())
            answer = ray.get(ray.remote(_add).remote(1, 1))
    except StreamerError as error:
        return Finding(False, str(error))
    if answer != 2:
        return Finding(False, "Ray ran a task and gave a wrong answer")
    gpus = resources.get("GPU", 0)
    where = os.environ.get("RAY_ADDRESS") or "this machine"
    return Finding(True, f"Ray runs tasks on {where}: {nodes} node, {resources['CPU']:g} CPUs, {gpus:g} GPUs")
