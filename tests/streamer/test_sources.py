"""One way to open videos and vectors, whole or in parts."""

from pathlib import Path

import numpy as np

from streamer.sources import divisible, open_source
from tests.streamer.video.clips import constant_rate, encode, number_in


def test_a_part_of_a_video(tmp_path: Path):
    path = str(encode(tmp_path / "a.mp4", constant_rate(100, 30)))
    with open_source(path, snippet_size=0.5, frame_size=48, first=2, stop=5) as source:
        assert [number_in(image) for image in source] == [30, 45, 60]
        assert source.duration_s == 2.5


def test_a_part_of_vectors(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.arange(10.0)[:, None])
    options = {"snippet_size": 0.5, "frame_size": 48, "first": 2, "stop": 5}
    with open_source(str(tmp_path / "a.npy"), **options) as source:
        assert [vector[0] for vector in source] == [2, 3, 4]
        assert source.duration_s == 2.5


def test_what_can_be_read_in_parts(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.zeros((2, 2)))
    many, one = constant_rate(120, 30, gop=30), constant_rate(120, 30, gop=500)
    assert divisible(str(tmp_path / "a.npy"))
    assert divisible(str(encode(tmp_path / "many.mp4", many)))
    assert not divisible(str(encode(tmp_path / "one.mp4", one)))
    assert divisible(str(tmp_path / "many.mp4"), "decord")
    assert not divisible(str(encode(tmp_path / "a.ts", many)))
    assert not divisible(str(tmp_path / "missing.mp4"))
