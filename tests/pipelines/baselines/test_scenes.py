"""Cuts as PySceneDetect finds them, on frames that this project decodes."""

import importlib.util

import numpy as np
import pytest

from pipelines.baselines import scenes
from pipelines.baselines.config import BaselineConfig
from pipelines.baselines.prediction import WatchedVideo
from pipelines.baselines.scenes import Cut, MissingExtraError, find_cuts, predict_scenes, strongest
from pipelines.catalog import CatalogEntry
from streamer.errors import VideoError
from tests.pipelines.baselines.shots import encode_shots

RATE = 25.0
SHOTS = [37, 41, 60, 29]
CUTS = [37, 78, 138]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = encode_shots(tmp_path_factory.mktemp("shots") / "shots.mp4", SHOTS, round(RATE))
    return WatchedVideo(CatalogEntry("v", str(path), "video", fps=RATE), sum(SHOTS) / RATE, 14, 0.5)


def config(**options):
    return BaselineConfig("scenes", ["x"], "out", **options)


@pytest.mark.parametrize("detector", ["adaptive", "content"])
def test_cuts_are_found_to_the_frame_and_the_strongest_make_the_levels(video, detector):
    prediction = predict_scenes(video, config(detector=detector, lengths=[1.0, 2.3, 99.0]))
    finest, all_again, strong, none = prediction.boundaries
    assert finest == all_again == [frame / RATE for frame in CUTS]
    assert len(strong) == 2
    assert set(strong) < set(finest)
    assert none == []


def test_a_part_of_a_video_is_on_its_own_clock(video):
    entry = CatalogEntry("v", video.entry.uri, "video", fps=RATE, start_s=0.6, end_s=3.6)
    part = WatchedVideo(entry, 3.0, 6, 0.5)
    assert predict_scenes(part, config()).boundaries[0] == [(37 - 15) / RATE, (78 - 15) / RATE]


def test_the_strongest_cuts_come_in_order_of_time():
    cuts = [Cut(5, 3.0), Cut(9, 8.0), Cut(12, 3.0), Cut(20, 4.0)]
    assert strongest(cuts, 3) == [Cut(5, 3.0), Cut(9, 8.0), Cut(20, 4.0)]
    assert strongest(cuts, 0) == []
    assert strongest(cuts, 9) == cuts


def test_still_frames_and_too_few_of_them_have_no_cut(video):
    still = [np.full((16, 16, 3), 90, np.uint8)] * 30
    assert find_cuts(still, RATE, "content") == find_cuts(still, RATE, "adaptive") == []
    assert find_cuts([], RATE, "adaptive") == []
    single = WatchedVideo(video.entry, 1 / RATE, 1, 0.5)
    assert predict_scenes(single, config()).boundaries == [[], [], [], []]


def test_what_cannot_be_read_fails_the_video(video, tmp_path):
    without_rate = WatchedVideo(CatalogEntry("v", video.entry.uri, "video"), 3.0, 6, 0.5)
    with pytest.raises(VideoError, match="its frame rate is not known"):
        predict_scenes(without_rate, config())
    absent = CatalogEntry("v", str(tmp_path / "absent.mp4"), "video", fps=RATE)
    with pytest.raises(VideoError, match="at full frame rate: "):
        predict_scenes(WatchedVideo(absent, 3.0, 6, 0.5), config())


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    scenes.require_scenedetect()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"not installed: pip install 'streamer-ray\[scenes\]'"):
        scenes.require_scenedetect()
