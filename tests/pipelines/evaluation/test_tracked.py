"""What MLflow is told: names that it takes, and values that exist."""

import math

from mlflow.utils.validation import _validate_metric

from pipelines.evaluation.scores import ALL_LEVELS, Score, scores_frame
from pipelines.evaluation.summary import summarise
from pipelines.evaluation.tracked import metric_values
from tests.pipelines.evaluation.test_scoring import score

HOSTILE_LEVELS = [
    "..",
    ".",
    "a/b",
    "a_b",
    "a\\b",
    "/x",
    "x/",
    "../up",
    "l" * 400,
    "l" * 399,
    "été: 5 %",
    " ",
    "@#",
]


def test_names_of_metrics_are_what_mlflow_takes_whatever_the_levels_are_called():
    levels = [(0.0, 10.0), (10.0, 20.0)]
    truth = {name: [(0.0, 10.0, ""), (10.0, 20.0, "")] for name in HOSTILE_LEVELS}
    summary = summarise(scores_frame(score(levels=[levels], truth=truth, duration=20.0)))
    values = metric_values(summary, "streamer")
    for name, value in values.items():
        _validate_metric(name, value, 0, 0)
    plain = metric_values(summary.loc[summary["truth_level"] == "a_b", :], "streamer")
    whole = [name for name in values if name.startswith(f"{ALL_LEVELS}/")]
    assert len(values) - len(whole) == len(plain) * len(HOSTILE_LEVELS), "no level may take another's name"
    assert "a_b/hlr_iou" in plain


def test_of_floors_no_level_is_told_but_the_best():
    names = metric_values(summarise(scores_frame(score())), "streamer")
    assert "scene/level1/boundary_precision_at_1s" in names
    assert "scene/beside/dyadic_grid/best_level/boundary_f1_at_0.5s" in names
    assert "all levels/beside/dyadic_grid/t_full_f1" in names
    assert not [name for name in names if "level0" in name and "beside" in name]
    assert not [name for name in names if "precision" in name and "beside" in name]


def test_representations_are_told_beside_their_floor():
    found = [Score(None, who, "scene", 1, "retrieval_map", 0.5) for who in ("mine", "shuffled")]
    names = set(metric_values(summarise(scores_frame(found)), "mine"))
    assert names == {"scene/level1/retrieval_map", "scene/beside/shuffled/level1/retrieval_map"}


def test_undefined_means_are_left_out():
    truth = {"scene": [(50.0, 60.0, "past the end")]}
    summary = summarise(scores_frame(score(levels=[[(0.0, 20.0)]], truth=truth, duration=20.0)))
    values = metric_values(summary, "streamer")
    assert values["scene/beside/truth/events"] == 0
    assert not any(math.isnan(value) for value in values.values())
    assert "scene/hlr_iou" not in values
