"""What single things cost with which larger ones are reckoned: base steps, cached snippets."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.child import MIB, in_child
from benchmarks.material import snippets
from benchmarks.models import small_model
from pipelines.snippets import ROW_SNIPPETS
from streamer.lane import Lane
from streamer.learner import Loss
from streamer.replay import Replay
from streamer.streamer import Streamer

STREAM_SNIPPETS = 600
WARM_UP = 40  # base steps
FRAME_BYTES = 128 * 128 * 3
PART_SNIPPETS = 512  # in one file of a cache


def base_steps(lanes: int, count: int) -> dict[str, Any]:
    """Base steps of the small model on one thread: forward and backward apart, and losses.

    CPU seconds of the thread are counted, so that other programs on the machine disturb little.
    """
    torch.set_num_threads(1)
    config = small_model()
    stream = snippets(config, STREAM_SNIPPETS)
    model = Streamer(config, lanes=lanes)
    places = [STREAM_SNIPPETS * lane // lanes for lane in range(lanes)]
    forward, backward, losses = [], [], np.zeros(config.max_levels)
    spent = 0.0
    run = model.replay.run

    def timed(taken: Sequence[Loss], watched: Sequence[Lane], *, everything: bool) -> None:
        nonlocal spent
        before = time.thread_time()
        run(taken, watched, everything=everything)
        spent += time.thread_time() - before

    with patch.object(Replay, "run", side_effect=timed):
        for _ in range(WARM_UP + count):
            spent, before = 0.0, time.thread_time()
            for lane, watched in enumerate(model.lanes):
                if watched.waiting == 0:
                    rows = np.arange(places[lane], places[lane] + ROW_SNIPPETS) % STREAM_SNIPPETS
                    model.offer(stream[rows], lane)
                    places[lane] += ROW_SNIPPETS
            model.advance()
            for loss in model.due:
                losses[loss.level] += 1
            model.barrier()
            forward.append(time.thread_time() - before - spent)
            backward.append(spent)
    forward, backward = np.array(forward[WARM_UP:]), np.array(backward[WARM_UP:])
    per_snippet = losses / ((WARM_UP + count) * lanes)
    return {
        "lanes": lanes,
        "forward ms": 1000 * forward.mean(),
        "variation": forward.std() / forward.mean(),
        "backward ms per loss": 1000 * backward.sum() / (per_snippet.sum() * count * lanes),
        "longest ms": 1000 * (forward + backward).max(),
        "losses per snippet": per_snippet.sum(),
        "of the highest level": per_snippet[-1] / per_snippet.sum(),
        "snippets/CPU s": count * lanes / (forward.sum() + backward.sum()),
        "forward_s": forward.tolist(),
        "backward_s": backward.tolist(),
    }


def cached_reads(parts: int, repetitions: int) -> dict[str, Any]:
    """Snippets copied one by one out of memory-mapped files that lie in the page cache."""
    rng = np.random.default_rng(0)
    cpu, wall = [], []
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.npy" for number in range(parts)]
        for path in paths:
            np.save(path, rng.integers(256, size=(PART_SNIPPETS, 128, 128, 3), dtype=np.uint8))
        for _ in range(repetitions):
            used, started = time.process_time(), time.perf_counter()
            total = sum(len(snippet.tobytes()) for path in paths for snippet in np.load(path, mmap_mode="r"))
            cpu.append((time.process_time() - used) / (parts * PART_SNIPPETS))
            wall.append((time.perf_counter() - started) / (parts * PART_SNIPPETS))
            assert total == parts * PART_SNIPPETS * FRAME_BYTES
    return {
        "snippets": parts * PART_SNIPPETS,
        "MiB": parts * PART_SNIPPETS * FRAME_BYTES / MIB,
        "CPU us per snippet": 1e6 * float(np.median(cpu)),
        "wall us per snippet": 1e6 * float(np.median(wall)),
        "cpu_s": cpu,
        "wall_s": wall,
    }


def all_base_steps(quick: bool) -> list[dict[str, Any]]:
    """Base steps by number of lanes."""
    counts = {1: 1200, 4: 400, 8: 300}
    return [in_child(base_steps, lanes, 60 if quick else count) for lanes, count in counts.items()]


def all_cached_reads(quick: bool) -> list[dict[str, Any]]:
    """Reads of a cache that fits into memory."""
    return [in_child(cached_reads, 1 if quick else 8, 3)]
