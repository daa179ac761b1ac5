"""The CSV files of EPIC-KITCHENS-100 and EPIC-KITCHENS-55: one row per action.

Both have `video_id`, time stamps and frame numbers of start and stop, and the classes of verb and noun; the
files of the test sets have no classes. Only the time stamps are read. Frame numbers count frames that the
authors extracted (60 a second, 50 in the videos that came with EPIC-KITCHENS-100), not those of the video,
which has 59.94, 50, 47.95, 29.97 or 90 a second; taken for the latter, they are off by up to three minutes.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.annotations.oddities import Oddities, order_notes
from pipelines.annotations.truth import Truth
from pipelines.tables import column_names, table_rows
from streamer.errors import TruthError
from streamer.metrics import LabelledSegment

REQUIRED = ("video_id", "start_timestamp", "stop_timestamp")
IDENTIFIERS = ("narration_id", "uid")
"""Ids of a row: the first in the files of EPIC-KITCHENS-100, the other in those of EPIC-KITCHENS-55."""

LEVEL = "action"
FRAME_RATES = (60, 50)
"""Frames per second that frame numbers may count."""

_OPTIONAL = ("start_frame", "stop_frame", "verb", "verb_class", "noun", "noun_class")
_WORDS = ("verb", "noun")
_TIME_STAMP = re.compile(r"(\d{1,3}):([0-5]?\d):([0-5]?\d(?:\.\d{1,9})?)")


@dataclass(frozen=True)
class _Action:
    """One row that can be used; `verb` and `noun` are (class, word)."""

    video_id: str
    start_s: float
    stop_s: float
    verb: tuple[str, str]
    noun: tuple[str, str]


def is_epic_kitchens(columns: Collection[str]) -> bool:
    """Whether a table with these columns holds actions of EPIC-KITCHENS.

    Narrations have time stamps too, but no ids: they tell when somebody spoke, not when something was done.
    """
    return set(REQUIRED) <= set(columns) and any(name in columns for name in IDENTIFIERS)


def read_epic_kitchens(path: Path) -> Truth:
    """Reads actions as one level, `action`, labelled by the classes of verb and noun (`take plate`).

    A class is called by the word that stands for it most often in the file, so that `take pan` and `grab
    saucepan` have one label if verbs and nouns are of one class. Rows without usable times are left out.

    Args:
        path: a table for which `is_epic_kitchens` holds.

    Returns:
        The annotations.

    Raises:
        TruthError: the file is unreadable, or no row can be used.
    """
    oddities = Oddities()
    actions = []
    for place, row in table_rows(path, required=REQUIRED, optional=_OPTIONAL, error=TruthError):
        action = _parse_row(row, place, oddities)
        if action is not None:
            actions.append(action)
    if not actions:
        raise TruthError(
            f"{path}: holds no usable action: {oddities.first() or 'it has no rows'}; download it again"
        )
    verbs = _class_names(action.verb for action in actions)
    nouns = _class_names(action.noun for action in actions)
    videos: dict[str, dict[str, list[LabelledSegment]]] = {}
    for action in actions:
        label = f"{verbs[action.verb]} {nouns[action.noun]}".strip()
        events = videos.setdefault(action.video_id, {}).setdefault(LEVEL, [])
        events.append((action.start_s, action.stop_s, label))
    notes = [*oddities.notes(), *order_notes(videos)]
    if not any(label for levels in videos.values() for *_, label in levels[LEVEL]):
        notes.append("the rows name no verbs and nouns, so events have no labels")
    number = 100 if IDENTIFIERS[0] in column_names(path, error=TruthError) else 55
    return Truth(path, videos, notes=tuple(notes), dataset=f"EPIC-KITCHENS-{number}")


def _parse_row(row: Mapping[str, Any], place: str, oddities: Oddities) -> _Action | None:
    video_id = _text(row, "video_id")
    if not video_id:
        oddities.add("row", "left out: no video_id", place)
        return None
    start, stop = (_seconds(_text(row, name)) for name in REQUIRED[1:])
    if start is None or stop is None:
        oddities.add("row", "left out: a time stamp is not hours:minutes:seconds", place)
        return None
    if stop <= start:
        oddities.add("row", "left out: stop_timestamp is not after start_timestamp", place)
        return None
    frames = [_number(_text(row, name)) for name in ("start_frame", "stop_frame")]
    if not any(_agree(frames, (start, stop), rate) for rate in FRAME_RATES):
        rates = " nor ".join(map(str, FRAME_RATES))
        oddities.add("row", f"with frame numbers that are neither {rates} times the time stamps", place)
    words = {name: (_text(row, f"{name}_class") or _text(row, name), _text(row, name)) for name in _WORDS}
    return _Action(video_id, start, stop, **words)


def _class_names(classes: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The most frequent word of each (class, word)'s class."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    given = list(classes)
    for number, word in given:
        counts[number][word] += 1
    return {(number, word): counts[number].most_common(1)[0][0] for number, word in given}


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value).strip()


def _seconds(stamp: str) -> float | None:
    parts = _TIME_STAMP.fullmatch(stamp)
    if parts is None:
        return None
    hours, minutes, seconds = parts.groups()
    # Rounded, because 60 + 3.1 is not the float nearest to 63.1.
    return round(int(hours) * 3600 + int(minutes) * 60 + float(seconds), 9)


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,9}", text) else None


def _agree(frames: list[int | None], seconds: tuple[float, float], rate: int) -> bool:
    """Whether frame numbers, as far as there are any, count the seconds at a rate, to one frame."""
    return all(
        frame is None or abs(frame - math.floor(second * rate)) <= 1
        for frame, second in zip(frames, seconds, strict=True)
    )
