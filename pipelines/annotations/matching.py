"""Which video of a run an annotation means, where the two have different names for it.

Datasets arrive in folders, and the id of a video is its path below the folder that was given. Annotations
name the file alone (EPIC-KITCHENS, Ego4D, 50 Salads), or folders and file joined by underscores (Breakfast).
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path

from pipelines.inputs import VIDEO_SUFFIXES
from streamer.errors import TruthError

_SUFFIXES = frozenset(VIDEO_SUFFIXES.split())
_STEREO = re.compile(r"(.*)_ch[01]")


def match_videos(
    annotated: Iterable[str], known_ids: Collection[str], path: Path
) -> dict[str, tuple[str, ...]]:
    """Finds the videos of a run that annotations mean.

    The first of these that fits decides: the id itself; the last parts of a path, one or more, joined by
    underscores; the two channels of Breakfast's stereo camera, which share their annotation
    (`P23_stereo01_P23_tea` is `P23/stereo/P23_tea_ch0` and `P23/stereo/P23_tea_ch1`).

    Args:
        annotated: ids in the annotations.
        known_ids: ids in the run.
        path: where the annotations come from, for errors.

    Returns:
        The ids in the run by the ids in the annotations, in their order; those that the run lacks are absent.

    Raises:
        TruthError: an annotated video could be several of the known ones, or several annotated videos are
            the same known one.
    """
    known = set(known_ids)
    by_name: defaultdict[str, list[str]] = defaultdict(list)
    by_stereo_name: defaultdict[str, list[str]] = defaultdict(list)
    for known_id in sorted(known):
        for name in _joined(known_id):
            by_name[name].append(known_id)
        for name in _stereo_names(known_id):
            by_stereo_name[name].append(known_id)
    found: dict[str, tuple[str, ...]] = {}
    meant_by: dict[str, str] = {}
    for name in annotated:
        if name in known:
            ids = [name]
        elif name in by_name:
            ids = by_name[name]
            _require_one(name, ids, ids, path)
        elif name in by_stereo_name:
            ids = by_stereo_name[name]
            _require_one(name, {os.path.dirname(known_id) for known_id in ids}, ids, path)
        else:
            continue
        for known_id in ids:
            other = meant_by.setdefault(known_id, name)
            if other != name:
                raise TruthError(
                    f"{path}: annotates {known_id} twice, as {other!r} and as {name!r}; keep one of them"
                )
        found[name] = tuple(ids)
    return found


def _joined(video_id: str) -> set[str]:
    """Names by which annotations may call a video, other than its id."""
    names = set()
    stem, suffix = os.path.splitext(video_id)
    # Files of one name and different suffixes keep the suffix in their ids.
    for path in {video_id, stem if suffix.lower() in _SUFFIXES else video_id}:
        parts = path.split("/")
        names |= {"_".join(parts[first:]) for first in range(len(parts))}
    return names


def _stereo_names(video_id: str) -> set[str]:
    folder, _, name = video_id.rpartition("/")
    channel = _STEREO.fullmatch(name)
    if channel is None or os.path.basename(folder) != "stereo":
        return set()
    return _joined(f"{folder}01/{channel[1]}")


def _require_one(name: str, choices: Collection[str], ids: Collection[str], path: Path) -> None:
    if len(choices) > 1:
        raise TruthError(
            f"{path}: {name!r} could be {' or '.join(sorted(ids)[:2])}; name one of the folders, or give a "
            "manifest with the ids of the annotations"
        )
