"""Chapters in FFmpeg's metadata format, for `ffmpeg -i in.mp4 -i x.ffmeta -map_chapters 1 -c copy out.mp4`.

The format: https://ffmpeg.org/ffmpeg-formats.html#Metadata-2. Times are those of a player's clock.
"""

from __future__ import annotations

import re

from pipelines.exports.video import ExportedVideo

TIMEBASE = "1/1000"


def ffmetadata(video: ExportedVideo) -> bytes:
    """The one level of `video` as chapters."""
    (level,) = video.levels
    lines = [";FFMETADATA1"]
    for event, name in zip(video.hierarchy.levels[level], video.names[level], strict=True):
        lines += [
            "",
            "[CHAPTER]",
            f"TIMEBASE={TIMEBASE}",
            f"START={video.player_ms[event.start_s]}",
            f"END={video.player_ms[event.end_s]}",
            f"title={_escaped(name)}",
        ]
    return ("\n".join(lines) + "\n").encode()


def _escaped(text: str) -> str:
    """Text of one line with a backslash before every character that the format gives a meaning."""
    escaped = re.sub(r"([=;#\\])", r"\\\1", text)
    # FFmpeg takes the last backslash of a line for one that escapes the line's end, escaped itself or not.
    return f"{escaped} " if escaped.endswith("\\") else escaped
