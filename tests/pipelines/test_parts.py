"""Parts of videos: whatever is decoded at the same time, the rows are those of one decoder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.catalog import CatalogEntry
from pipelines.decoder_process import PartEnd
from pipelines.parts import PART_SNIPPETS, deal, divide, in_order
from pipelines.snippets import ROW_SNIPPETS, SnippetBlock, SnippetFormat, VideoPart, read_rows, snippet_rows

FORM = SnippetFormat("vectors", 0.5, 16, 1, "pyav")


@dataclass(frozen=True)
class Recording:
    """What a file holds, beside what it declares.

    Attributes:
        snippets: that are readable.
        declared_s: its duration as declared; None where it does not tell.
        divisible: whether it can be read from the middle.
        failed: whether it breaks after its snippets.
        first: where to begin.
        cached: how many parts are at hand, so that nobody has to ask whether it is divisible.
    """

    snippets: int
    declared_s: float | None
    divisible: bool = True
    failed: bool = False
    first: int = 0
    cached: int = 0


def entry(number: int, recording: Recording) -> CatalogEntry:
    return CatalogEntry(f"v{number}", str(number), "vectors", duration_s=recording.declared_s)


def decoded(part: VideoPart, recordings: Sequence[Recording]) -> Iterator[dict]:
    """What a decoder makes of a part: snippets tell their number."""
    recording = recordings[int(part.entry.uri)]
    stop = part.stop
    at_hand = stop is not None and stop <= min(recording.cached * PART_SNIPPETS, recording.snippets)
    if not at_hand and not recording.divisible and (part.first or stop is not None):
        if not part.leads:
            return snippet_rows(part, [PartEnd("indivisible")])
        stop = None
    reached = recording.snippets if stop is None else min(stop, recording.snippets)
    snippets = [np.float32(index).tobytes() for index in range(part.first, reached)]
    kind: Literal["stop", "end"] = "stop" if reached == stop else "end"
    broken = kind == "end" and recording.failed
    return snippet_rows(part, [*snippets, PartEnd(kind, reached / 2, broken, "breaks" if broken else None)])


def stream(recordings: Sequence[Recording], decoders: int) -> list:
    """Blocks, as bytes with their place, and ends, as a lane gets them."""

    def rows(parts: Sequence[VideoPart]) -> Iterator[dict]:
        return (row for part in parts for row in decoded(part, recordings))

    videos = [VideoPart(entry(n, recording), recording.first) for n, recording in enumerate(recordings)]
    parts = divide(videos, FORM.snippet_size, decoders)
    streams = [rows(share) for share in deal(parts, decoders)]
    items = read_rows(in_order(parts, streams, lambda part: rows([part])), FORM)
    return [
        (item.video_id, item.index, item.data.tobytes()) if isinstance(item, SnippetBlock) else item
        for item in items
    ]


lengths = st.one_of(
    st.integers(1, 4 * PART_SNIPPETS),
    st.integers(1, 4).map(lambda parts: parts * PART_SNIPPETS),
    st.just(0),
)


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    snippets = draw(lengths)
    declared = draw(st.one_of(st.none(), st.just(snippets / 2), st.floats(0.1, 2.5 * PART_SNIPPETS)))
    first = draw(st.integers(0, snippets))
    cached = draw(st.integers(0, 4))
    return Recording(snippets, declared, draw(st.booleans()), draw(st.booleans()), first, cached)


@settings(deadline=None)
@given(st.lists(recordings(), max_size=4), st.integers(2, 5))
def test_several_decoders_give_what_one_gives(videos, decoders):
    assert stream(videos, decoders) == stream(videos, 1)


def test_a_long_video_is_cut_for_several_decoders():
    long = VideoPart(entry(0, Recording(0, declared_s=PART_SNIPPETS * 1.25)), first=50)
    short = VideoPart(entry(1, Recording(0, declared_s=1.0)))
    unknown = VideoPart(entry(2, Recording(0, declared_s=None)), first=16)
    assert divide([long, short, unknown], 0.5, 2) == [
        VideoPart(long.entry, 50, PART_SNIPPETS, leads=True),
        VideoPart(long.entry, PART_SNIPPETS, 2 * PART_SNIPPETS, leads=False),
        VideoPart(long.entry, 2 * PART_SNIPPETS, None, leads=False),
        short,
        unknown,
    ]
    assert divide([long, short, unknown], 0.5, 1) == [long, short, unknown]


def test_parts_are_dealt_in_turn():
    parts = divide([VideoPart(entry(0, Recording(0, declared_s=PART_SNIPPETS * 2.5)))], 0.5, 2)
    assert deal(parts, 2) == [[parts[0], parts[2], parts[4]], [parts[1], parts[3]]]
    assert deal(parts[:1], 2) == [[parts[0]]]
    assert deal([], 2) == []


def test_parts_after_the_end_are_left_out():
    """The file declares four parts, and breaks in the second."""
    found = stream([Recording(700, declared_s=1000.0, failed=True), Recording(20, declared_s=10.0)], 3)
    assert sum(1 for item in found if isinstance(item, tuple)) == -(-700 // ROW_SNIPPETS) + 2
    assert [(item.video_id, item.snippets, item.status) for item in found if not isinstance(item, tuple)] == [
        ("v0", 700, "failed"),
        ("v1", 20, "done"),
    ]


def test_a_stream_of_another_part_is_refused():
    recordings = [Recording(2 * PART_SNIPPETS, declared_s=PART_SNIPPETS)]
    parts = divide([VideoPart(entry(0, recordings[0]))], 0.5, 2)
    swapped = [decoded(part, recordings) for part in reversed(parts)]
    with pytest.raises(AssertionError, match="v0 from snippet 0 was due"):
        list(in_order(parts, swapped, lambda part: decoded(part, recordings)))


def test_a_stream_that_ends_too_soon_is_refused():
    recordings = [Recording(20, declared_s=10.0)]
    parts = [VideoPart(entry(0, recordings[0]))]
    cut = iter(list(decoded(parts[0], recordings))[:-1])
    with pytest.raises(AssertionError, match="ended before v0"):
        list(in_order(parts, [cut], lambda part: decoded(part, recordings)))
