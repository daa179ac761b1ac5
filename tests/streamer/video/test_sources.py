"""Addresses, and every real file at hand."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.errors import VideoError
from streamer.video import SnippetGrid, open_snippets, probe
from tests.streamer.video.clips import constant_rate
from tests.streamer.video.conftest import ClipMaker
from tests.streamer.video.reading import read_numbers


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Address under which the test's folder is served on a free port of this machine."""
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_address_is_read_like_a_file(address: str, make_clip: ClipMaker):
    make_clip("a.mp4", constant_rate(95, 30, container_options={"movflags": "faststart"}))
    assert read_numbers(f"{address}/a.mp4").numbers == [0, 15, 30, 45, 60, 75, 90]
    assert probe(f"{address}/a.mp4").duration_s == pytest.approx(95 / 30, abs=0.001)


def test_address_that_cannot_seek_still_gives_an_exact_part(address: str, make_clip: ClipMaker):
    make_clip("a.mkv", constant_rate(150, 30))
    outcome = read_numbers(f"{address}/a.mkv", SnippetGrid(start_s=3.0, end_s=4.0))
    assert outcome.numbers == [90, 105]


def test_missing_address_is_refused(address: str):
    with pytest.raises(VideoError, match="cannot be opened"):
        probe(f"{address}/missing.mp4")


DAMAGED = {"decord_corrupted.mp4": 6}
NO_VIDEO = {"tc_audio_only.mp3", "truth.csv"}


def test_every_real_file_ends_in_snippets_or_one_typed_error(shared_videos: Path):
    for path in sorted(path for path in shared_videos.rglob("*") if path.is_file()):
        if path.name in NO_VIDEO:
            with pytest.raises(VideoError):
                probe(path)
            continue
        info = probe(path)
        snippets, error = 0, None
        with open_snippets(path, SnippetGrid()) as reader:
            try:
                for image in reader:
                    assert image.shape == (128, 128, 3)
                    snippets += 1
            except VideoError as raised:
                error = raised
        assert reader.duration_s is not None
        if path.name in DAMAGED:
            assert type(error) is VideoError
            assert snippets == DAMAGED[path.name]
            continue
        assert error is None, path
        assert snippets == -(-round(reader.duration_s * 1000) // 500), path
        if info.stored and info.duration_s is not None:
            assert reader.duration_s == pytest.approx(info.duration_s, abs=0.05), path
