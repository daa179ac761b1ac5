"""Annotation files in the forms in which datasets have them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines.annotations import read_truth
from streamer.errors import TruthError

EPIC_100 = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,"
    "stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes"
)
EPIC_55 = (
    "uid,participant_id,video_id,narration,start_timestamp,stop_timestamp,start_frame,stop_frame,verb,"
    "verb_class,noun,noun_class,all_nouns,all_noun_classes"
)
EPIC_TEST = "uid,participant_id,video_id,start_timestamp,stop_timestamp,start_frame,stop_frame"

SHARED = Path(__file__).resolve().parents[4] / "shared" / "annotations"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def stamp(seconds: float) -> str:
    """Hours, minutes and seconds to the hundredth, as EPIC-KITCHENS has them."""
    hundredths = round(seconds * 100)
    minutes, rest = divmod(hundredths, 6000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 100:02}.{rest % 100:02}"


def epic_row(video_id: str, start_s: float, stop_s: float, **changes: Any) -> dict[str, Any]:
    """A row with everything that a file of EPIC-KITCHENS may ask for."""
    row = {
        "narration_id": f"{video_id}_0",
        "uid": 0,
        "participant_id": video_id[:3],
        "video_id": video_id,
        "narration_timestamp": stamp(start_s),
        "start_timestamp": stamp(start_s),
        "stop_timestamp": stamp(stop_s),
        "start_frame": int(start_s * 60),
        "stop_frame": int(stop_s * 60),
        "narration": "take the plate, quickly",
        "verb": "take",
        "verb_class": 0,
        "noun": "plate",
        "noun_class": 2,
        "all_nouns": "['plate', 'board:cutting']",
        "all_noun_classes": "[2, 19]",
    }
    return {**row, **changes}


def write_epic(path: Path, *rows: Mapping[str, Any], header: str = EPIC_100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header.split(","), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def segment(
    start: Any, end: Any, label: str = "stir", segments: Sequence[Any] | None = None
) -> dict[str, Any]:
    """A step or substep of Goal-Step."""
    found = {
        "start_time": start,
        "end_time": end,
        "step_category": label,
        "step_description": "Stirs it.",
        "is_continued": False,
        "is_procedural": True,
        "is_relevant": "essential",
        "summary": [],
    }
    return found if segments is None else {**found, "segments": list(segments)}


def goal_step_video(uid: str, *segments: Any, **changes: Any) -> dict[str, Any]:
    video = {"video_uid": uid, "start_time": 0.021, "end_time": 60.0, "goal_category": "COOKING:TEA"}
    return {**video, "segments": list(segments), **changes}


def write_goal_step(path: Path, *videos: Any) -> Path:
    return write(path, json.dumps({"version": "1.0", "split": "val", "videos": list(videos)}))


def refusal(path: Path) -> str:
    """The one line with which a file is refused."""
    with pytest.raises(TruthError) as caught:
        read_truth(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message
