"""Clips that several tests of the video package read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.streamer.video.clips import Clip, encode

ClipMaker = Callable[[str, Clip], Path]


@pytest.fixture
def make_clip(tmp_path: Path) -> ClipMaker:
    """Encodes a clip under a name in the test's folder."""
    return lambda name, clip: encode(tmp_path / name, clip)


@pytest.fixture
def shared_videos() -> Path:
    """The folder of real videos beside the project; skips where it is absent."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "videos"
    if not folder.is_dir():
        pytest.skip(f"no videos at {folder}")
    return folder
