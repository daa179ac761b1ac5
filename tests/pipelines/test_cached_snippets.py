"""Snippets from a cache: those that decoding gives, and decoded only as far as the cache lacks them."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipelines.decoding
from pipelines.cached_snippets import Decode, cached_snippets
from pipelines.catalog import CatalogEntry
from pipelines.decoder_process import PartEnd, Request
from pipelines.decoding import DecodingSettings, part_rows
from pipelines.snippets import SnippetFormat, VideoPart, read_rows
from streamer.snippet_cache import PART_SNIPPETS, CachedRecording, CacheError, RecordingEnd
from tests.streamer.video.clips import constant_rate, encode

SIZE = 2
WHOLE = Request("/data/v.mp4", "uint8", 0.5, SIZE, 0.0, None, "pyav")


@dataclass
class Memory:
    """A cache's entry for one recording, in memory."""

    parts: dict[int, np.ndarray] = field(default_factory=dict)
    end: RecordingEnd | None = None

    def part(self, number: int) -> np.ndarray | None:
        return self.parts.get(number)

    def store_part(self, number: int, snippets: np.ndarray) -> None:
        assert number not in self.parts or np.array_equal(self.parts[number], snippets)
        self.parts[number] = snippets

    def store_end(self, end: RecordingEnd) -> None:
        self.end = end


class Decoder:
    """Decodes a recording of which snippet k is filled with k modulo 256.

    Args:
        snippets: how many are readable.
        failed: whether it breaks after these.
    """

    def __init__(self, snippets: int, *, failed: bool = False) -> None:
        self.asked: list[Request] = []
        self._snippets, self._failed = snippets, failed

    def __call__(self, request: Request) -> Iterator[bytes | PartEnd]:
        self.asked.append(request)
        reached = self._snippets if request.stop is None else min(request.stop, self._snippets)
        for index in range(request.first, reached):
            yield snippet(index)
        if reached == request.stop:
            yield PartEnd("stop", reached / 2)
        else:
            yield PartEnd("end", reached / 2, self._failed, "breaks" if self._failed else "ends early")


def snippet(index: int) -> bytes:
    return np.full((SIZE, SIZE, 3), index % 256, np.uint8).tobytes()


def through(memory: Memory, request: Request, decoder: Decode) -> Iterator[bytes | PartEnd]:
    return cached_snippets(request, cast(CachedRecording, memory), decoder)


def collect(items: Iterator[bytes | PartEnd]) -> tuple[bytes, PartEnd]:
    *snippets, end = items
    assert isinstance(end, PartEnd)
    return b"".join(item for item in snippets if isinstance(item, bytes)), end


def ranges(draw: st.DrawFn) -> Request:
    first = draw(st.integers(0, 2 * PART_SNIPPETS + 100))
    parts = draw(st.one_of(st.none(), st.integers(1, 3)))
    stop = None if parts is None else (first // PART_SNIPPETS + parts) * PART_SNIPPETS
    return replace(WHOLE, first=first, stop=stop)


lengths = st.one_of(st.integers(1, 1300), st.sampled_from([PART_SNIPPETS, 2 * PART_SNIPPETS]))


@settings(deadline=None)
@given(lengths, st.booleans(), st.data())
def test_whatever_the_cache_holds_the_snippets_are_those_of_decoding(count, failed, data):
    recording, decoder = Memory(), Decoder(count, failed=failed)
    for _ in range(data.draw(st.integers(1, 5))):
        request = data.draw(st.composite(ranges)())
        if request.first > count:
            continue
        found, end = collect(through(recording, request, decoder))
        expected, expected_end = collect(Decoder(count, failed=failed)(request))
        assert found == expected
        assert end.kind == expected_end.kind
        if end.kind == "end":
            assert end == expected_end
        if recording.parts and data.draw(st.booleans()):  # somebody clears it, or it is damaged
            del recording.parts[data.draw(st.sampled_from(sorted(recording.parts)))]


@pytest.mark.parametrize("count", [1, PART_SNIPPETS - 1, PART_SNIPPETS, 2 * PART_SNIPPETS + 100])
def test_what_was_decoded_once_is_not_decoded_again(count):
    recording, decoder = Memory(), Decoder(count)
    first = collect(through(recording, WHOLE, decoder))
    assert len(decoder.asked) == 1
    assert collect(through(recording, WHOLE, decoder)) == first
    beyond = replace(WHOLE, first=8 * PART_SNIPPETS, stop=9 * PART_SNIPPETS)
    assert collect(through(recording, beyond, decoder))[0] == b""
    assert len(decoder.asked) == 1


def test_decoding_begins_where_the_cache_ends():
    recording, decoder = Memory(), Decoder(3 * PART_SNIPPETS + 10)
    collect(through(recording, replace(WHOLE, stop=2 * PART_SNIPPETS), decoder))
    assert sorted(recording.parts) == [0, 1]
    assert recording.end is None
    collect(through(recording, WHOLE, decoder))
    assert [request.first for request in decoder.asked] == [0, 2 * PART_SNIPPETS]
    assert sorted(recording.parts) == [0, 1, 2, 3]
    assert recording.end == RecordingEnd(3 * PART_SNIPPETS + 10, (3 * PART_SNIPPETS + 10) / 2, "ends early")


def test_a_part_of_which_the_beginning_was_not_decoded_is_not_stored():
    recording = Memory()
    request = replace(WHOLE, first=16)
    collect(through(recording, request, Decoder(2 * PART_SNIPPETS)))
    assert sorted(recording.parts) == [1]


def test_a_part_that_was_not_taken_to_its_end_is_not_stored():
    recording = Memory()
    items = through(recording, WHOLE, Decoder(2 * PART_SNIPPETS))
    for _ in range(PART_SNIPPETS - 1):
        next(items)
    items.close()  # pyright: ignore[reportAttributeAccessIssue] - a generator
    assert recording == Memory()


def test_how_a_broken_recording_ended_is_found_out_again():
    recording, decoder = Memory(), Decoder(PART_SNIPPETS + 10, failed=True)
    first = collect(through(recording, WHOLE, decoder))
    assert recording.end is None
    assert sorted(recording.parts) == [0]
    assert collect(through(recording, WHOLE, decoder)) == first
    assert decoder.asked[1].first == PART_SNIPPETS


FRAMES = SnippetFormat("frames", 0.5, 48, 16, "pyav")


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of one part and a piece."""
    return encode(tmp_path_factory.mktemp("clip") / "long.mp4", constant_rate(1200, 4))


def rows_of(
    path: Path, cache: Path | None, first: int = 0, form: SnippetFormat = FRAMES
) -> list[dict[str, Any]]:
    decoding = DecodingSettings(cache=None if cache is None else str(cache))
    return list(part_rows(VideoPart(CatalogEntry("v", str(path), "video"), first), form, decoding))


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(request: Request, timeout_s: float) -> Iterator[bytes | PartEnd]:
        raise AssertionError(f"{request.uri} is decoded")

    monkeypatch.setattr(pipelines.decoding, "decode_patiently", refuse)


def test_rows_come_from_the_cache_without_a_decoder(long_clip, tmp_path, monkeypatch):
    expected = rows_of(long_clip, None)
    assert rows_of(long_clip, tmp_path / "cache") == expected
    copy = shutil.copy(long_clip, tmp_path / "copy.mp4")
    forbid_decoding(monkeypatch)
    assert rows_of(long_clip, tmp_path / "cache") == expected
    assert rows_of(copy, tmp_path / "cache") == expected, "known by its content"
    rest = rows_of(long_clip, tmp_path / "cache", first=560)
    assert [row["index"] for row in rest] == [560, 576, 592, 600]
    assert rest[0]["data"] == expected[35]["data"]


def test_a_recording_that_the_cache_knows_is_not_read(long_clip, tmp_path, monkeypatch):
    path = Path(shutil.copy(long_clip, tmp_path / "v.mp4"))
    expected = rows_of(path, tmp_path / "cache")
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    forbid_decoding(monkeypatch)
    assert rows_of(path, tmp_path / "cache") == expected


def test_another_size_of_frames_is_decoded_anew(long_clip, tmp_path, monkeypatch):
    rows_of(long_clip, tmp_path / "cache")
    forbid_decoding(monkeypatch)
    with pytest.raises(AssertionError, match="is decoded"):
        rows_of(long_clip, tmp_path / "cache", form=replace(FRAMES, frame_size=32))


def test_damaged_entries_are_decoded_again(long_clip, tmp_path, monkeypatch):
    expected = rows_of(long_clip, tmp_path / "cache")
    [damaged] = tmp_path.glob("cache/**/part-000000.npy")
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:1000] + bytes(1000) + whole[2000:])
    assert rows_of(long_clip, tmp_path / "cache") == expected
    assert damaged.read_bytes() == whole
    forbid_decoding(monkeypatch)
    assert rows_of(long_clip, tmp_path / "cache") == expected


def test_files_that_cannot_be_read_fail_as_without_a_cache(tmp_path):
    (tmp_path / "text.mp4").write_text("no video\n" * 50)
    for name in ("text.mp4", "absent.mp4"):
        assert rows_of(tmp_path / name, tmp_path / "cache") == rows_of(tmp_path / name, None)


def test_features_are_not_cached(tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((5, 16), np.float32))
    entry = CatalogEntry("v", str(tmp_path / "v.npy"), "vectors")
    form = SnippetFormat("vectors", 0.5, 48, 16, "pyav")
    decoding = DecodingSettings(cache=str(tmp_path / "cache"))
    assert len(list(part_rows(VideoPart(entry), form, decoding))) == 2
    assert list(tmp_path.glob("cache/**/*.npy")) == []


def test_a_cache_that_cannot_be_written_is_an_error_of_the_user_s(long_clip, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match=r"^[^\n]*the snippet cache cannot be written[^\n]*$"):
        list(read_rows(rows_of(long_clip, tmp_path / "file" / "cache"), FRAMES))
