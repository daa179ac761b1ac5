"""WebVTT chapters: one level of a video as cues, for players and for `<track kind="chapters">`.

The format: https://www.w3.org/TR/webvtt1/. Times are those of a player's clock.
"""

from __future__ import annotations

import html

from webvtt import Caption, WebVTT
from webvtt.models import Timestamp

from pipelines.exports.video import ExportedVideo

MILLISECONDS = 1000  # per second


def webvtt(video: ExportedVideo) -> bytes:
    """The one level of `video` as chapters."""
    (level,) = video.levels
    captions = [
        Caption(
            start=_timestamp(video.player_ms[event.start_s]),
            end=_timestamp(video.player_ms[event.end_s]),
            # Cue text is markup; without `>` it cannot hold the arrow that stands between times either.
            text=html.escape(name, quote=False),
            identifier=f"L{level}-e{index}",
        )
        for index, (event, name) in enumerate(
            zip(video.hierarchy.levels[level], video.names[level], strict=True)
        )
    ]
    return (WebVTT(captions=captions).content.rstrip("\n") + "\n").encode()


def _timestamp(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, MILLISECONDS)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return str(Timestamp(hours, minutes, seconds, rest))
