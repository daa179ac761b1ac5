"""Runs that no training has made: with representations and signals, large, or with hostile names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.catalog import CatalogEntry
from pipelines.run_folder import RunFolder, VideoRow
from pipelines.store import HierarchyStore
from streamer.hierarchy import Event, Hierarchy
from streamer.signals import Signal

SNIPPET_S = 0.5
DIM = 8
MODEL = {"distance": "similarity", "snippet_size": SNIPPET_S, "max_levels": 3}
HOSTILE = (
    "</script><img src=x onerror=\"document.title='bad'\">",
    "quote\" onmouseover='document.title=`bad`' --> ]]>",
    "\u202egnp.elif \u2066مرحبا\u2069 🎬 \u2028\u2029",  # noqa: RUF001 - Arabic as it is written
    "../../../etc/passwd",
    "x" * 3000,
    "javascript:document.title='bad'",
)


def hierarchy_of(
    video_id: str, snippets: int, *, every: Sequence[int] = (2, 8, 32), seed: int = 0, kinds: int = 5
) -> Hierarchy:
    """A hierarchy whose events of level l last `every[l]` snippets, of `kinds` kinds that recur."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((kinds, DIM)).astype(np.float32)
    duration_s = snippets * SNIPPET_S
    levels = []
    for step in every:
        edges = [*range(0, snippets, step), snippets]
        events = []
        for place, (first, last) in enumerate(pairwise(edges)):
            vector = centres[place % kinds] + 0.1 * random.standard_normal(DIM).astype(np.float32)
            ends = None if last == snippets else 0.25
            events.append(Event(first * SNIPPET_S, last * SNIPPET_S, 0.5, ends, vector))
        levels.append(events)
    return Hierarchy(video_id, duration_s, SNIPPET_S, levels, snippets, dim=DIM)


def signals_of(snippets: int, every: Sequence[int] = (2, 8, 32)) -> list[Signal]:
    """Signals of all levels, low where an event ends."""
    found = []
    below = 1
    for level, step in enumerate(every):
        for index in range(below, snippets, below):
            ends = index % step == 0
            found.append(Signal(index, level, 0.1 if ends else 0.8 + 0.1 * np.sin(index / 7), ends))
        below = step
    return found


def add_video(folder: RunFolder, hierarchy: Hierarchy, signals: Sequence[Signal] = ()) -> None:
    """Writes what a finished video leaves."""
    HierarchyStore(folder, {}, signals=bool(signals)).write(hierarchy, signals)


def make_run(
    root: Path, entries: Sequence[CatalogEntry], *, facts: Mapping[str, Any] | None = None, **settings: Any
) -> RunFolder:
    """A finished run whose entries that are `ready` have events and signals, and the others a reason.

    The length of an entry says how many snippets it has; `settings` go to `hierarchy_of`.
    """
    folder = RunFolder(root)
    folder.create()
    folder.write_run("finished", {"config": {"model": MODEL}, **(facts or {})})
    rows = []
    for place, entry in enumerate(entries):
        snippets = round((entry.duration_s or 0.0) / SNIPPET_S)
        if entry.status != "ready":
            rows.append(VideoRow(entry, entry.status, entry.reason, None, 0))
            continue
        rows.append(VideoRow(entry, "done", None, entry.duration_s, snippets))
        settings_of = {"seed": place, **settings}
        add_video(
            folder,
            hierarchy_of(entry.video_id, snippets, **settings_of),
            signals_of(snippets, settings_of.get("every", (2, 8, 32))),
        )
    folder.write_videos(rows)
    return folder


def entry(video_id: str, seconds: float = 20.0, **changes: Any) -> CatalogEntry:
    """An input; without a file, so that there is nothing to play."""
    known = {"uri": f"/nowhere/{abs(hash(video_id))}.mp4", "kind": "video", "duration_s": seconds}
    return CatalogEntry(video_id, **{**known, "width": 192, "height": 96, "fps": 10.0, **changes})


def make_big_run(root: Path, *, videos: int = 1000, snippets: int = 21_600) -> RunFolder:
    """A library of many short videos and one of three hours with more than 10 000 events."""
    states = [
        {"status": "failed", "reason": "cannot be opened"} if place % 50 == 7 else {}
        for place in range(videos - 1)
    ]
    entries = [entry(f"day-{place:04d}", 30.0 + place % 60, **state) for place, state in enumerate(states)]
    return make_run(root, [*entries, entry("whole-day", snippets * SNIPPET_S)])


def write_scores(
    folder: RunFolder, video_ids: Sequence[str], *, predictor: str = "streamer", shift: float = 0.0
) -> None:
    """An evaluation with the columns of the day, of one level of annotation called `clip`."""
    rows = []
    for place, video_id in enumerate(video_ids):
        for name in (predictor, "dyadic_grid"):
            base = shift + place / (2 * len(video_ids)) + (0.2 if name == predictor else 0.1)
            rows.append((video_id, name, "clip", None, "hlr_iou", base))
            rows += [
                (video_id, name, "clip", level, "boundary_f1@0.5s", base / (level + 1)) for level in range(3)
            ]
    columns = ["video_id", "predictor", "truth_level", "level", "metric", "value"]
    frame = pd.DataFrame(rows, columns=columns).astype({"level": "Int8"})
    frame.to_parquet(folder.evaluation)
