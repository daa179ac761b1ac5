"""What the library page shows, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np

from pipelines.report.events import LevelEvents, VideoEvents
from pipelines.report.runs import Run

BAND_PIECES = 120
"""Most pieces into which the level is cut that stands for a video in its row."""

_FEWEST_EVENTS = 3  # a level with fewer tells little

_FACTS = ("command", "predictor", "state", "started", "ended", "resumed", "seed")


def run_facts(run: Run) -> dict[str, Any]:
    """What is told of a run: its name, how it went, its configuration, versions and totals."""
    facts = run.facts
    general = {"folder": str(run.folder.root), **{name: facts.get(name) for name in _FACTS}}
    sections = {
        "Run": general,
        "Totals": facts.get("totals"),
        "Configuration": {key: value for key, value in run.config.items() if key != "model"},
        "Model": run.config.get("model"),
        "Versions": facts.get("software"),
    }
    listed = [
        {"title": title, "entries": _flat(values)}
        for title, values in sections.items()
        if isinstance(values, Mapping)
    ]
    state = str(facts.get("state", ""))
    return {"name": run.name, "predictor": run.predictor, "state": state, "sections": listed}


def video_row(row: Mapping[str, Any] | None, events: VideoEvents | None) -> dict[str, Any] | None:
    """How a video fared in one run; None where that run did not have it."""
    if row is None:
        return None
    counts = None if events is None else [len(level.starts_s) for level in events.levels]
    return {"status": row["status"], "reason": row["reason"], "events": counts}


def band(events: VideoEvents, colours: Sequence[list[int]]) -> dict[str, list[int]]:
    """The coarsest level that has some events, in one line of at most `BAND_PIECES`.

    Args:
        events: of the video.
        colours: codes of the events of each level.

    Returns:
        `starts` in thousandths of the video, and `colours`.
    """
    chosen = max(
        (i for i, level in enumerate(events.levels) if len(level.starts_s) >= _FEWEST_EVENTS), default=0
    )
    return _pieces(events.levels[chosen], colours[chosen], events.duration_s)


def _pieces(level: LevelEvents, colours: list[int], duration_s: float) -> dict[str, list[int]]:
    starts = level.starts_s
    if len(starts) > BAND_PIECES:
        places = (np.arange(BAND_PIECES) + 0.5) / BAND_PIECES * duration_s
        picked = np.searchsorted(starts, places, side="right") - 1
        starts = np.arange(BAND_PIECES) / BAND_PIECES * duration_s
        colours = [colours[event] for event in picked]
    return {"starts": np.rint(starts / duration_s * 1000).astype(int).tolist(), "colours": list(colours)}


def now() -> str:
    """The time at which a report was made, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[list[str]]:
    """Pairs of dotted names and values as text, without those that are empty."""
    pairs: list[list[str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            pairs += _flat(value, f"{prefix}{key}.")
        elif value is not None and value != []:
            words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            pairs.append([f"{prefix}{key}", words])
    return pairs
