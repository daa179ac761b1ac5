"""What MLflow is told of every run, and how its scores are called."""

from pathlib import PurePosixPath

import pytest

from pipelines.metric_names import metric_name, unique_names
from pipelines.run_tags import LONGEST, dataset_name, run_tags


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        ([], ""),
        (["/data/videos"], "videos"),
        (["/data/videos/"], "videos"),
        (["clips/*.mp4"], "*.mp4"),
        (["/"], "/"),
        (["https://example.com/a%20b.mp4?token=1"], "a b.mp4"),
        (["https://example.com"], "https://example.com"),
        (["/a/x.csv", "/b/y.mp4"], "x.csv and 1 more input"),
        (["/a/x", "/b/y", "/c"], "x and 2 more inputs"),
    ],
)
def test_a_dataset_is_called_by_the_end_of_its_path(inputs, name):
    assert dataset_name(inputs) == name


def test_tags_say_what_is_known_and_no_more():
    tags = run_tags(
        "train",
        predictor="streamer",
        folder=PurePosixPath("/runs/x"),
        inputs=["/data/videos"],
        software={"streamer-ray": "1.2", "revision": None},
        description="d" * 2 * LONGEST,
    )
    assert tags == {
        "streamer.command": "train",
        "streamer.predictor": "streamer",
        "streamer.folder": "/runs/x",
        "streamer.dataset": "videos",
        "streamer.version": "1.2",
        "mlflow.source.type": "LOCAL",
        "mlflow.note.content": "d" * LONGEST,
    }


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({}, "scene/boundary_f1_at_3s"),
        ({"level": 0}, "scene/level0/boundary_f1_at_3s"),
        ({"level": 2, "best": True}, "scene/best_level/boundary_f1_at_3s"),
        ({"beside": "uniform"}, "scene/beside/uniform/boundary_f1_at_3s"),
        ({"beside": "uniform", "best": True}, "scene/beside/uniform/best_level/boundary_f1_at_3s"),
    ],
)
def test_names_of_scores(named, expected):
    assert metric_name("scene", "boundary_f1@3s", **named) == expected


def test_levels_whose_names_cannot_stand_have_names_that_can():
    assert unique_names(["a/b", "a_b", "..", "x"]) == {"a/b": "a_b", "a_b": "a_b-2", "..": "_", "x": "x"}
