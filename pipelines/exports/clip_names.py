"""The files of clips: names that sort in the order of time, and what is there already."""

from __future__ import annotations

import re
from pathlib import Path

from streamer.hierarchy import Hierarchy

MILLISECONDS_PER_HOUR = 3_600_000


def clip_names(hierarchy: Hierarchy, level: int) -> list[str]:
    """Names of the clips of a level, in time order: `L1_00017_00h00m12.500s_00h00m15.000s.mp4`.

    They tell level, index, start and end, so that a file of this name holds this event, whatever the
    hierarchy was when it was written.
    """
    return [
        f"L{level}_{index:05d}_{_time(start_s)}_{_time(end_s)}.mp4"
        for index, (start_s, end_s) in enumerate(hierarchy.segments(level))
    ]


def stale_clips(folder: Path, level: int, names: list[str]) -> list[Path]:
    """Clips of a level in a folder that are not of these names: their events are no more."""
    expected = set(names)
    time = r"\d\d+h\d\dm\d\d\.\d{3}s"
    pattern = re.compile(rf"L{level}_\d{{5,}}_{time}_{time}\.mp4")
    return [path for path in folder.iterdir() if pattern.fullmatch(path.name) and path.name not in expected]


def is_current(path: Path, media: str) -> bool:
    """Whether a clip is there and no older than its video, where that is a file."""
    video = Path(media)
    return path.exists() and not (video.is_file() and path.stat().st_mtime < video.stat().st_mtime)


def _time(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, MILLISECONDS_PER_HOUR)
    return f"{hours:02d}h{rest // 60_000:02d}m{rest % 60_000 / 1000:06.3f}s"
