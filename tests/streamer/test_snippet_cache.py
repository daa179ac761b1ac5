"""What was stored comes back, or nothing does: whatever happens to files, writers and disks."""

import errno
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamer.snippet_cache
from streamer.errors import StreamerError
from streamer.snippet_cache import (
    PART_SNIPPETS,
    CachedRecording,
    CacheError,
    RecordingEnd,
    SnippetCache,
    SnippetSettings,
)

SETTINGS = SnippetSettings(snippet_size=0.5, frame_size=4)
each_example = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"frames")
    return path


def entry(folder: Path, video: Path, cut: SnippetSettings = SETTINGS) -> CachedRecording:
    recording = SnippetCache(folder).recording(str(video), cut)
    assert recording is not None
    return recording


def snippets(count: int, size: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@each_example
@given(
    st.integers(1, PART_SNIPPETS),
    st.integers(0, 10**6),
    st.sampled_from([1, 3, 16]),
    st.integers(0, 99),
    st.floats(0, 1e6),
    st.one_of(st.none(), st.text()),
)
def test_what_is_stored_comes_back(tmp_path, video, count, number, size, seed, duration_s, reason):
    cut = replace(SETTINGS, frame_size=size)
    stored, end = snippets(count, size, seed), RecordingEnd(count, duration_s, reason)
    entry(tmp_path / "cache", video, cut).store_part(number, stored)
    entry(tmp_path / "cache", video, cut).store_end(end)
    again = entry(tmp_path / "cache", video, cut)
    part = again.part(number)
    assert part is not None
    assert isinstance(part, np.memmap)
    assert not part.flags.writeable
    np.testing.assert_array_equal(part, stored)
    assert again.end == end


def test_a_part_is_a_npy_file(tmp_path: Path, video: Path):
    entry(tmp_path / "cache", video).store_part(0, snippets(3))
    (path,) = (tmp_path / "cache").rglob("part-*.npy")
    np.testing.assert_array_equal(np.load(path), snippets(3))


def test_an_array_that_does_not_lie_in_one_piece_is_stored_right(tmp_path: Path, video: Path):
    recording = entry(tmp_path / "cache", video)
    recording.store_part(0, snippets(6)[::2])
    np.testing.assert_array_equal(recording.part(0), snippets(6)[::2])


def test_an_empty_cache_has_nothing(tmp_path: Path, video: Path):
    recording = entry(tmp_path / "cache", video)
    assert recording.part(0) is None
    assert recording.end is None


@pytest.mark.parametrize(
    "change",
    [{"snippet_size": 0.4}, {"frame_size": 5}, {"start_s": 1.0}, {"end_s": 9.0}, {"decoder": "decord"}],
)
def test_other_settings_are_another_entry(change, tmp_path: Path, video: Path, monkeypatch):
    monkeypatch.setattr(streamer.snippet_cache, "decoder_version", lambda _: "1")
    entry(tmp_path / "cache", video).store_end(RecordingEnd(1, 0.5, None))
    assert entry(tmp_path / "cache", video, replace(SETTINGS, **change)).end is None


def test_another_version_of_the_decoder_is_another_entry(tmp_path: Path, video: Path, monkeypatch):
    entry(tmp_path / "cache", video).store_end(RecordingEnd(1, 0.5, None))
    monkeypatch.setattr(streamer.snippet_cache, "decoder_version", lambda _: "another")
    assert entry(tmp_path / "cache", video).end is None


def test_whole_numbers_of_seconds_are_the_same_entry(tmp_path: Path, video: Path):
    one, other = (SnippetSettings(number, 4, number, number + 1) for number in (2, 2.0))
    entry(tmp_path / "cache", video, one).store_end(RecordingEnd(1, 0.5, None))
    assert entry(tmp_path / "cache", video, other).end is not None


def test_a_copy_shares_the_entry_and_another_content_does_not(tmp_path: Path, video: Path):
    entry(tmp_path / "cache", video).store_end(RecordingEnd(1, 0.5, None))
    copy, other = tmp_path / "copy.mp4", tmp_path / "other.mp4"
    copy.write_bytes(video.read_bytes())
    other.write_bytes(b"FRAMES")
    assert entry(tmp_path / "cache", copy).end is not None
    assert entry(tmp_path / "cache", other).end is None


def test_a_file_is_hashed_once_until_it_changes(tmp_path: Path, video: Path, monkeypatch):
    hashed = []
    hash_file = streamer.snippet_cache._hash_file
    monkeypatch.setattr(
        streamer.snippet_cache, "_hash_file", lambda path: (hashed.append(path), hash_file(path))[1]
    )
    entry(tmp_path / "cache", video).store_end(RecordingEnd(1, 0.5, None))
    assert entry(tmp_path / "cache", video).end is not None
    assert len(hashed) == 1
    video.write_bytes(b"other frames")
    assert entry(tmp_path / "cache", video).end is None
    assert len(hashed) == 2


def test_nothing_is_stored_for_a_file_that_has_changed_since(tmp_path: Path, video: Path):
    recording = entry(tmp_path / "cache", video)
    video.write_bytes(b"other frames")
    recording.store_part(0, snippets(2))
    recording.store_end(RecordingEnd(2, 1.0, None))
    assert recording.part(0) is None
    assert recording.end is None


def test_what_is_not_cached(tmp_path: Path):
    np.save(tmp_path / "features.npy", np.zeros((2, 3)))
    os.mkfifo(tmp_path / "pipe.mp4")
    cache = SnippetCache(tmp_path / "cache")
    for uri in ("http://127.0.0.1:9/a.mp4", "missing.mp4", ".", "features.npy", "pipe.mp4"):
        path = uri if "://" in uri else str(tmp_path / uri)
        assert cache.recording(path, SETTINGS) is None


@pytest.mark.parametrize("name", ["part-000000.npy", "end.json"])
def test_a_file_cut_anywhere_is_missing_and_can_be_stored_again(name: str, tmp_path: Path, video: Path):
    recording = entry(tmp_path / "cache", video)
    fill(recording)
    (path,) = (tmp_path / "cache").rglob(name)
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 7), len(whole) - 1, len(whole) + 1, len(whole) + 48]:
        path.write_bytes((whole + bytes(48))[:length])
        assert (recording.part(0) if name.endswith("npy") else recording.end) is None
    fill(recording)
    assert_filled(recording)


@each_example
@given(place=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255), index=st.integers(0, 2))
def test_a_flipped_byte_is_noticed(tmp_path, video, place, mask, index):
    """Also in what the cache remembers of the file, which is then hashed again."""
    fill(entry(tmp_path / "cache", video))
    path = files(tmp_path / "cache")[index]
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= mask
    path.write_bytes(data)
    recording = entry(tmp_path / "cache", video)
    if path.name == "part-000000.npy":
        assert recording.part(0) is None
    elif path.name == "end.json":
        assert recording.end is None
    else:
        assert_filled(recording)


def test_a_mapped_part_outlives_its_replacement(tmp_path: Path, video: Path):
    recording = entry(tmp_path / "cache", video)
    fill(recording)
    part = recording.part(0)
    fill(recording, seed=1)
    np.testing.assert_array_equal(part, snippets(5))
    np.testing.assert_array_equal(recording.part(0), snippets(5, seed=1))


def fill(recording: CachedRecording, seed: int = 0) -> None:
    recording.store_part(0, snippets(5, seed=seed))
    recording.store_end(RecordingEnd(5, 2.5, None))


def assert_filled(recording: CachedRecording) -> None:
    np.testing.assert_array_equal(recording.part(0), snippets(5))
    assert recording.end == RecordingEnd(5, 2.5, None)


def write_and_read(folder: str, video: str, rounds: int) -> int:
    """Stores the same over and over; returns how often another thing or nothing was read."""
    recording = SnippetCache(folder).recording(video, SETTINGS)
    assert recording is not None
    wrong = 0
    for _ in range(rounds):
        fill(recording)
        part = recording.part(0)
        wrong += part is None or not np.array_equal(part, snippets(5)) or recording.end is None
    return wrong


def test_writers_at_the_same_time_do_not_disturb_each_other(tmp_path: Path, video: Path):
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        runs = [pool.submit(write_and_read, str(tmp_path / "cache"), str(video), 40) for _ in range(3)]
        assert [run.result() for run in runs] == [0, 0, 0]
    assert_filled(entry(tmp_path / "cache", video))
    assert len(files(tmp_path / "cache")) == 3


KILLED = """
import os, signal, sys
import numpy as np
from streamer.snippet_cache import SnippetCache, SnippetSettings
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
recording = SnippetCache(sys.argv[1]).recording(sys.argv[2], SnippetSettings(0.5, 4))
recording.store_part(0, np.zeros((5, 4, 4, 3), np.uint8))
"""


def test_a_writer_that_is_killed_leaves_nothing_that_is_read(tmp_path: Path, video: Path):
    recording = entry(tmp_path / "cache", video)
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "cache", video], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert any(path.suffix == ".tmp" for path in files(tmp_path / "cache"))
    assert recording.part(0) is None
    fill(recording)
    assert_filled(recording)


def refuse(number: int):
    def replaced(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return replaced


def test_a_cache_that_may_only_be_read_serves_what_it_holds(tmp_path: Path, video: Path, monkeypatch):
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(video.read_bytes())
    fill(entry(tmp_path / "cache", video))
    monkeypatch.setattr(os, "replace", refuse(errno.EROFS))
    assert_filled(entry(tmp_path / "cache", video))
    recording = entry(tmp_path / "cache", copy)  # not known yet, and cannot be remembered
    assert_filled(recording)
    for store in (lambda: fill(recording), lambda: recording.store_end(RecordingEnd(1, 0.5, None))):
        with pytest.raises(CacheError, match="Read-only"):
            store()


def test_a_full_disk_is_one_clear_error(tmp_path: Path, video: Path, monkeypatch):
    recording = entry(tmp_path / "cache", video)
    monkeypatch.setattr(os, "replace", refuse(errno.ENOSPC))
    video.write_bytes(b"other frames")
    for use in (
        lambda: fill(CachedRecording(recording._folder, 4, streamer.snippet_cache._identify(str(video)))),  # type: ignore[arg-type]
        lambda: entry(tmp_path / "cache", video),
    ):
        with pytest.raises(
            StreamerError, match=r"cache cannot be written \(No space left on device\)"
        ) as raised:
            use()
        assert "\n" not in str(raised.value)
    assert [path.suffix for path in files(tmp_path / "cache")] == [".json"]


def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="cannot be written"):
        SnippetCache(tmp_path / "file")


def test_the_cache_does_without_torch_and_ray():
    code = "import sys, streamer.snippet_cache; sys.exit(bool({'torch', 'ray'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
