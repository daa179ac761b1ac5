"""Parts of long videos: several are decoded at the same time, and put back in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, groupby
from typing import Any

from pipelines.snippets import VideoPart
from streamer.snippet_cache import PART_SNIPPETS

Rows = Iterator[dict[str, Any]]


def divide(videos: Sequence[VideoPart], snippet_size: float, decoders: int) -> list[VideoPart]:
    """Cuts videos of known duration into parts for several decoders; one decoder takes them as they are.

    The last part of a video is open: how long it is, decoding tells.

    Args:
        videos: of which each is cut at multiples of `PART_SNIPPETS`.
        snippet_size: seconds per snippet.
        decoders: how many decode at the same time.
    """
    if decoders == 1:
        return list(videos)
    return [part for video in videos for part in _divide_video(video, snippet_size)]


def _divide_video(video: VideoPart, snippet_size: float) -> Iterator[VideoPart]:
    snippets = math.ceil((video.entry.duration_s or 0.0) / snippet_size)
    cuts = range((video.first // PART_SNIPPETS + 1) * PART_SNIPPETS, snippets, PART_SNIPPETS)
    starts = [video.first, *cuts]
    for first, stop in zip(starts, [*cuts, None], strict=True):
        yield VideoPart(video.entry, first, stop, leads=first == video.first)


def deal(parts: Sequence[VideoPart], decoders: int) -> list[Sequence[VideoPart]]:
    """What each decoder decodes, one part after the other: every so-manieth.

    Each has room of its own for what waits. So the part that is due can always go on, however far the others
    are ahead.
    """
    return [parts[number::decoders] for number in range(min(decoders, len(parts)))]


def in_order(
    parts: Sequence[VideoPart], streams: Sequence[Rows], open_rows: Callable[[VideoPart], Rows]
) -> Rows:
    """Rows of all parts in order, each video's up to its end; what comes after that is left out.

    Args:
        parts: those of a video follow each other.
        streams: the rows of the parts as they were dealt.
        open_rows: begins to decode what is left of a video whose parts cannot be read on their own.
    """
    dealt = zip(parts, cycle(streams), strict=False)
    for _, video in groupby(dealt, key=lambda item: item[0].entry.video_id):
        ended = False
        for part, stream in video:
            for row in _rows_of(part, stream):
                if ended or row["status"] == "stop":
                    continue
                if row["status"] == "indivisible":
                    assert row["index"] == part.first, "none of it was read"
                    rest = VideoPart(part.entry, part.first)
                    yield from _rows_of(rest, open_rows(rest))
                    ended = True
                    continue
                yield row
                ended = row["status"] != "running"
        assert ended, "the last part of a video is open"
    for stream in streams:  # which ends them, too
        assert next(stream, None) is None, "more was decoded than was asked for"


def _rows_of(part: VideoPart, stream: Rows) -> Rows:
    """Takes the rows of one part from a stream, with the one that says how it ended."""
    name = f"{part.entry.video_id} from snippet {part.first}"
    for row in stream:
        assert (row["video_id"], row["first"]) == (part.entry.video_id, part.first), f"{name} was due"
        yield row
        if row["status"] != "running":
            return
    raise AssertionError(f"the stream ended before {name} did")
