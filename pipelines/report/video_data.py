"""What the page of one video shows, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.annotations import Truth
from pipelines.drawing import annotated_levels
from pipelines.manifest import is_url
from pipelines.report.colours import Palette
from pipelines.report.events import LevelEvents, VideoEvents
from pipelines.report.film import Film
from pipelines.report.payload import differences, milliseconds, quantised, rounded
from pipelines.report.runs import Run
from pipelines.report.similarity import Candidates, nearest
from pipelines.report.thresholds import compare
from pipelines.store import read_signals
from pipelines.strips import assign_rows
from streamer.config import StreamerConfig

_OVERLAP_SHARE = 1 / 2000  # of a video: annotations that overlap by less share a row
_SIGNAL_NAMES = {"similarity": "similarity", "distance": "error"}


@dataclass(frozen=True)
class Space:
    """What is known of one level of a run from the events of all its videos.

    Attributes:
        candidates: events among which neighbours are sought.
        palette: gives events their colours.
    """

    candidates: Candidates
    palette: Palette


def video_facts(row: Mapping[str, Any], duration_s: float, film: Film | None) -> dict[str, Any]:
    """What the page tells of the recording itself."""
    address, place = playable(str(row["uri"]), str(row["kind"]))
    return {
        "duration": duration_s,
        "kind": row["kind"],
        "address": address,
        "place": place,
        "offset": row["start_s"] or 0.0,
        "width": row["width"],
        "height": row["height"],
        "fps": rounded([row["fps"]])[0],
        "codec": row["codec"],
        "film": None if film is None else {**film_shape(film), "times": milliseconds(np.array(film.times_s))},
    }


def film_shape(film: Film) -> dict[str, int]:
    """How thumbnails lie on their sheet."""
    return {"width": film.width, "height": film.height, "columns": film.columns}


def playable(uri: str, kind: str) -> tuple[str | None, str]:
    """The address under which a browser may find a video, if any, and words for where it is."""
    if kind != "video":
        return None, "an array of features, with nothing to see"
    if is_url(uri):
        return uri, uri
    path = Path(uri)
    try:
        there = path.is_absolute() and path.is_file()
    except (OSError, ValueError):
        there = False
    return (path.as_uri(), uri) if there else (None, f"{uri} is not there any more")


def truth_data(truth: Truth, video_id: str, duration_s: float) -> list[dict[str, Any]]:
    """The annotated levels, coarse ones first.

    Returns:
        For each its `name`, number of `rows`, `labels`, the numbers of those that are `background`, and
        `events` one after the other: start and end (ms), row, and number of the label.
    """
    found = []
    for level in annotated_levels(truth.videos.get(video_id, {}), duration_s):
        rows = assign_rows(level.events, duration_s * _OVERLAP_SHARE)
        labels = {label: place for place, label in enumerate(dict.fromkeys(e[2] for e in level.events))}
        events = sorted(
            [round(1000 * start), round(1000 * end), row, labels[label]]
            for (start, end, label), row in zip(level.events, rows, strict=True)
        )
        flat = [number for event in events for number in event]
        background = [number for label, number in labels.items() if label in truth.background]
        facts = {"name": level.name, "rows": max(rows, default=0) + 1, "labels": list(labels)}
        found.append({**facts, "background": background, "events": flat})
    return found


def run_data(run: Run, video_id: str, events: VideoEvents, spaces: Sequence[Space]) -> dict[str, Any]:
    """The levels of a video in one run, with their signals."""
    table, model = read_signals(run.folder, video_id), run.model
    learned = len(events.levels) if model is None else model.learned_levels
    if run.facts.get("command") == "cut":
        learned = 0
    levels = [
        {
            "starts": milliseconds(level.starts_s),
            "colours": spaces[index].palette.codes(level.units),
            "means": rounded(level.mean_signals.tolist()),
            "ends": rounded(level.boundary_signals.tolist()),
            "merged": index >= learned,
            "signal": None if table is None else signal_data(table, model, index),
        }
        for index, level in enumerate(events.levels)
    ]
    return {"snippets": events.snippets, "snippet": events.snippet_size, "levels": levels}


def signal_data(table: pa.Table, model: StreamerConfig | None, level: int) -> dict[str, Any] | None:
    """The signal of a level, its threshold where it can be known, and its boundaries."""
    of_level = table.filter(pa.array(table["level"].to_numpy() == level))
    if not of_level.num_rows:
        return None
    values = of_level["signal"].to_numpy().astype(np.float64)
    boundaries = of_level["boundary"].to_numpy(zero_copy_only=False).astype(bool)
    snippets = of_level["snippet"].to_numpy()
    compared = None if model is None else compare(values, boundaries, model, level, snippets)
    limits = None if compared is None else compared.limits
    shown = values if compared is None else compared.values
    known = np.concatenate([shown, [] if limits is None else limits])
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    name = "signal" if model is None else _SIGNAL_NAMES[model.distance_of(level)]
    if compared is not None and compared.summed:
        name = f"summed {name}"
    return {
        "name": name,
        "snippets": differences(snippets),
        "low": low,
        "high": high,
        "values": quantised(shown, low, high),
        "limits": None if limits is None else quantised(limits, low, high),
        "boundaries": differences(np.nonzero(boundaries)[0]),
    }


def neighbour_data(
    levels: Sequence[LevelEvents],
    video: int,
    spaces: Sequence[Space],
    video_ids: Sequence[str],
    films: Mapping[str, Film],
) -> dict[str, Any]:
    """The nearest events elsewhere of every event of a video.

    Returns:
        `videos`, each with its thumbnails; `places`, one after the other: number of the video, event, start
        and end (ms), thumbnail (-1 without); per level `width` times place and cosine in thousandths
        for each event, with place -1 where there are fewer.
    """
    videos: dict[int, int] = {}
    places: dict[tuple[int, int], int] = {}
    flat: list[int] = []
    found = []
    for level, (events, space) in enumerate(zip(levels, spaces[: len(levels)], strict=True)):
        candidates = space.candidates
        rows, cosines = nearest(events.units, video, candidates)
        pairs: list[int] = []
        thousandths = np.rint(np.where(rows >= 0, cosines, 0) * 1000).astype(int)
        for row, cosine in zip(rows.ravel().tolist(), thousandths.ravel().tolist(), strict=True):
            if row >= 0 and (level, row) not in places:
                places[level, row] = len(places)
                other = int(candidates.videos[row])
                film = films.get(video_ids[other])
                start_s, end_s = float(candidates.starts_s[row]), float(candidates.ends_s[row])
                frame = -1 if film is None else film.nearest((start_s + end_s) / 2)
                number = videos.setdefault(other, len(videos))
                flat += [
                    number,
                    int(candidates.events[row]),
                    round(1000 * start_s),
                    round(1000 * end_s),
                    frame,
                ]
            pairs += [places.get((level, row), -1), cosine]
        found.append({"width": rows.shape[1], "pairs": pairs})
    shown = [_with_film(video_ids[other], films) for other in videos]
    return {"videos": shown, "places": flat, "levels": found}


def _with_film(video_id: str, films: Mapping[str, Film]) -> dict[str, Any]:
    film = films.get(video_id)
    return {"id": video_id, "film": None if film is None else film_shape(film)}
