import json
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given, settings

from pipelines.exports.release import release_json
from streamer.metrics import hierarchical_level_reduction
from streamer.release import release_boundaries
from tests.pipelines.exports.material import exported, videos
from tests.pipelines.finished_run import make_hierarchy
from tests.streamer.test_hierarchy import hierarchies, small


def layers(content: bytes) -> list[list[tuple[float, float]]]:
    """The levels as the release's scorer takes them, those without events left out."""
    read = json.loads(content)["layers"]
    segments = [[(event["start"], event["end"]) for event in layer["annots"]] for layer in read]
    return [layer for layer in segments if layer]


def test_every_level_up_to_the_end_of_the_video():
    content = json.loads(release_json(exported(small(), names={0: list("abcd"), 1: list("ef")}), "video"))
    assert (content["file"], content["duration"]) == ("/data/a b%20c.mp4", 5.0)
    assert [(layer["name"], layer["order"]) for layer in content["layers"]] == [
        ("level 0", 0),
        ("level 1", 1),
    ]
    upper = [(e["start"], e["end"], e["action"]) for e in content["layers"][1]["annots"]]
    assert upper == [(0.0, 2.5, "e"), (2.5, 5.0, "f")]
    assert all(set(event) == {"start", "end", "action", "colour"} for event in content["layers"][0]["annots"])


def test_every_level_up_to_the_last_boundary():
    assert layers(release_json(exported(small()), "release")) == [
        [(0.0, 1.0), (1.0, 2.5), (2.5, 4.0)],
        [(0.0, 2.5), (2.5, 4.0)],
    ]


def test_an_upper_level_whose_last_event_begins_at_the_last_boundary_loses_it():
    video = exported(make_hierarchy("a", [(0.0, 2.0, 6.0), (0.0, 6.0)], 8.0))
    assert layers(release_json(video, "release")) == [[(0.0, 2.0), (2.0, 6.0)], [(0.0, 6.0)]]


def test_chosen_levels_keep_their_names():
    content = json.loads(release_json(exported(small(), [1]), "video"))
    assert [(layer["name"], layer["order"]) for layer in content["layers"]] == [("level 1", 0)]


@given(hierarchies())
@settings(deadline=None, max_examples=60)
def test_the_scorer_gives_the_same_for_the_file_as_for_the_hierarchy(hierarchy):
    truth = [(0.0, hierarchy.duration_s / 3, "a"), (hierarchy.duration_s / 3, hierarchy.duration_s, "b")]
    settings_ = {"duration": hierarchy.duration_s, "fps": 25.0}
    read = layers(release_json(exported(hierarchy), "video"))
    direct = [hierarchy.segments(level) for level in range(hierarchy.num_levels)]
    assert hierarchical_level_reduction(read, truth, **settings_) == hierarchical_level_reduction(
        direct, truth, **settings_
    )


@given(videos())
@settings(deadline=None, max_examples=60)
def test_levels_nest_and_end_together_by_either_rule(video):
    last = release_boundaries(video.hierarchy)[0][-1]
    rules: list[tuple[Literal["video", "release"], float]] = [
        ("video", video.hierarchy.duration_s),
        ("release", last),
    ]
    for closing, end in rules:
        found = layers(release_json(video, closing))
        assert found or closing == "release"
        for finer, coarser in pairwise(found):
            assert {start for start, _ in coarser} <= {start for start, _ in finer}
        assert all(level[-1][1] == pytest.approx(end) for level in found)
