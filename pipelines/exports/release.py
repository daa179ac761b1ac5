"""The JSON that the published release writes per video, for its scorer and its viewers.

Layers are finest first. Its scorer (see `streamer.metrics.level_reduction`) needs levels that end together:
every child must end no later than its parent, and no level may be used up before the one above. Both rules
of closing give that.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

from pipelines.exports.video import ExportedVideo
from streamer.release import release_boundaries

COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2")
"""Neighbouring events get different ones."""


def release_json(video: ExportedVideo, closing: Literal["video", "release"]) -> bytes:
    """The levels of `video`.

    Args:
        video: what to write.
        closing: `video`: every level ends with the video. `release`: every level ends at the last boundary of
            level 0; what follows is in no event, and a level without any boundary has no events.
    """
    hierarchy = video.hierarchy
    if closing == "release":
        levels = [list(pairwise(boundaries)) for boundaries in release_boundaries(hierarchy)]
    else:
        levels = [hierarchy.segments(level) for level in range(hierarchy.num_levels)]
    content = {
        "file": video.media.uri,
        "duration": hierarchy.duration_s,
        "layers": [
            {
                "name": f"level {level}",
                "order": order,
                "annots": _annotations(levels[level], video.names[level]),
            }
            for order, level in enumerate(video.levels)
        ],
    }
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _annotations(segments: Sequence[tuple[float, float]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Events; there may be one less than names, where the release leaves the last one out."""
    return [
        {"start": start_s, "end": end_s, "action": name, "colour": COLOURS[index % len(COLOURS)]}
        for index, ((start_s, end_s), name) in enumerate(zip(segments, names[: len(segments)], strict=True))
    ]
