"""The JSON files of Ego4D Goal-Step: videos with steps, and steps with substeps.

    {"videos": [{"video_uid": ..., "start_time": ..., "end_time": ..., "segments": [
        {"start_time": ..., "end_time": ..., "step_category": ..., "segments": [
            {"start_time": ..., "end_time": ..., "step_category": ...}]}]}]}

All times are seconds of the whole video: `start_time` of a video is where its annotated part begins (with the
first frame, a few hundredths of a second into the file, or minutes later where only a part was annotated)
and nothing to be subtracted. Substeps need not lie inside their step.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.annotations.oddities import Oddities, order_notes
from pipelines.annotations.truth import ROUNDING_S, Truth
from streamer.errors import TruthError
from streamer.metrics import LabelledSegment

DATASET = "Ego4D Goal-Step"
LEVELS = ("step", "substep")
PARTLY_S = 1.0
"""Seconds without annotation at the start of a video from which on a note says so."""

Levels = dict[str, list[LabelledSegment]]


def read_goal_step(path: Path) -> Truth:
    """Reads steps and substeps as two levels, labelled by their categories.

    Segments without usable times are left out; substeps are their own level, so they outlive a faulty step.

    Args:
        path: a .json file.

    Returns:
        The annotations.

    Raises:
        TruthError: the file cannot be read, is no such JSON, or no segment can be used.
    """
    oddities = Oddities()
    videos: dict[str, Levels] = {}
    for number, video in enumerate(_videos(path)):
        uid = video.get("video_uid") if isinstance(video, dict) else None
        if not isinstance(uid, str) or not uid:
            oddities.add("video", "left out: no video_uid", f"videos[{number}]")
            continue
        _note_part(video, uid, oddities)
        levels: Levels = {}
        _read_segments(video, uid, video, 0, levels, oddities)
        for level, events in levels.items():
            videos.setdefault(uid, {}).setdefault(level, []).extend(events)
    if not videos:
        reason = oddities.first() or "no video has segments"
        raise TruthError(f"{path}: holds no usable step: {reason}; take a file with annotations")
    return Truth(path, videos, notes=(*oddities.notes(), *order_notes(videos)), dataset=DATASET)


def _videos(path: Path) -> list[Any]:
    """The list of videos in a file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise TruthError(f"{path}: is not UTF-8 text; download it again") from error
    except json.JSONDecodeError as error:
        raise TruthError(f"{path}: is not whole JSON ({error}); download it again") from error
    except (ValueError, RecursionError) as error:  # numbers or nesting that Python refuses
        raise TruthError(f"{path}: is no JSON of annotations ({error}); download it again") from error
    except OSError as error:
        raise TruthError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    videos = content.get("videos") if isinstance(content, dict) else None
    if not isinstance(videos, list):
        found = ", ".join(map(repr, list(content)[:5])) if isinstance(content, dict) else "no object"
        raise TruthError(
            f"{path}: is no known format of annotations: the JSON of {DATASET} has a list `videos` whose "
            f"entries have `video_uid` and `segments`; found {found or 'an empty object'}"
        )
    return videos


def _note_part(video: Mapping[str, Any], uid: str, oddities: Oddities) -> None:
    start = _seconds(video.get("start_time"))
    if start is not None and start > PARTLY_S:
        oddities.add("video", "whose annotation begins later than the video", f"{uid}, at {start:.1f} s")


def _read_segments(
    holder: Mapping[str, Any],
    uid: str,
    video: Mapping[str, Any],
    depth: int,
    levels: Levels,
    oddities: Oddities,
) -> None:
    """Adds the segments of a video or step to their level, and what lies in them to the level below."""
    segments = holder.get("segments")
    if not segments:
        return
    if not isinstance(segments, list):
        oddities.add("element", "left out: `segments` is no list", uid)
        return
    if depth == len(LEVELS):
        oddities.add("substep", "with segments of its own, which are left out", uid)
        return
    name = LEVELS[depth]
    for segment in segments:
        if not isinstance(segment, dict):
            oddities.add(name, "left out: it is no object", uid)
            continue
        start, end = (_seconds(segment.get(key)) for key in ("start_time", "end_time"))
        if start is None or end is None:
            oddities.add(name, "left out: a time is no number of seconds", uid)
        elif end <= start:
            oddities.add(name, "left out: end_time is not after start_time", uid)
        else:
            category = segment.get("step_category")
            label = " ".join(category.split()) if isinstance(category, str) else ""
            levels.setdefault(name, []).append((start, end, label))
            _note_place(name, start, end, holder, video, uid, oddities)
        _read_segments(segment, uid, video, depth + 1, levels, oddities)


def _note_place(
    name: str,
    start: float,
    end: float,
    holder: Mapping[str, Any],
    video: Mapping[str, Any],
    uid: str,
    oddities: Oddities,
) -> None:
    """Notes an event that reaches out of its video, or a substep that reaches out of its step."""
    last = _seconds(video.get("end_time"))
    if last is not None and end > last + ROUNDING_S:
        oddities.add(name, "reaching past the end of the video", uid)
    first, last = (_seconds(holder.get(key)) for key in ("start_time", "end_time"))
    if holder is video or first is None or last is None:
        return
    if start < first - ROUNDING_S or end > last + ROUNDING_S:
        oddities.add(name, "reaching out of the step above", uid)


def _seconds(value: Any) -> float | None:
    """A time; None unless it is a finite number from 0 up."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
