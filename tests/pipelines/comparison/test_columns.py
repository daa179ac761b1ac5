"""Which videos count, and what is told of the others."""

import numpy as np
import pytest

from pipelines.comparison.columns import measured, shared_scores
from pipelines.comparison.runs import ComparisonError
from pipelines.evaluation.predictors import FLOORS
from tests.pipelines.comparison.scored_runs import (
    VIDEOS,
    annotated,
    opened,
    rows,
    scored_run,
    simple_run,
    values_of,
)


def test_only_videos_that_all_runs_have_count(tmp_path):
    shared = shared_scores(
        opened(
            simple_run(tmp_path / "a", 0, VIDEOS[:6]),
            simple_run(tmp_path / "b", 1, VIDEOS[2:]),
            simple_run(tmp_path / "c", 2, VIDEOS),
        )
    )
    assert shared.truth_levels == {"scene": list(VIDEOS[2:6])}
    assert shared.remarks == [
        "a: 2 scored videos left out, not in all runs: v0, v1",
        "b: 2 scored videos left out, not in all runs: v6, v7",
        "c: 4 scored videos left out, not in all runs: v0, v1, v6, v7",
    ]
    for column in shared.columns:
        assert set(column.scores["video_id"]) == set(VIDEOS[2:6])


def test_floors_stand_beside_the_runs(tmp_path):
    runs = opened(simple_run(tmp_path / "a", 0), simple_run(tmp_path / "b", 1))
    columns = shared_scores(runs).columns
    assert [column.label for column in columns] == ["a", "b", *(f"floor {floor}" for floor in FLOORS)]
    assert [column.run is None for column in columns] == [False, False, True, True, True, True]


def test_a_run_that_is_a_floor_itself_leaves_the_floor_to_another(tmp_path):
    runs = opened(simple_run(tmp_path / "uniform", 0, predictor="uniform"), simple_run(tmp_path / "b", 1))
    shared = shared_scores(runs)
    labels = [column.label for column in shared.columns]
    assert labels == ["uniform", "b", *(f"floor {floor}" for floor in FLOORS)]
    own, floor = shared.columns[0], shared.columns[labels.index("floor uniform")]
    expected = values_of(100 + FLOORS.index("uniform"))
    assert measured(floor, "scene", VIDEOS)["hlr_iou", None].values.tolist() == list(expected.values())
    assert measured(own, "scene", VIDEOS)["hlr_iou", None].values.tolist() == list(values_of(0).values())


def test_two_runs_of_the_same_floor_have_no_such_floor_beside_them(tmp_path):
    runs = opened(*(simple_run(tmp_path / name, 0, predictor="uniform") for name in "ab"))
    assert "floor uniform" not in [column.label for column in shared_scores(runs).columns]


def test_values_are_in_the_order_of_the_videos_with_nan_where_there_is_none(tmp_path):
    scores = rows({"v2": 0.2, "v0": 0.5}, "boundary_f1@3s", level=1, denominator=10.0)
    scores += rows({"v1": 0.1, "v2": float("nan"), "v0": 0.3})
    folder = scored_run(tmp_path / "a", [*annotated(VIDEOS[:3]), *scores])
    other = simple_run(tmp_path / "b", 1, VIDEOS[:3])
    column = shared_scores(opened(folder, other)).columns[0]
    found = measured(column, "scene", ["v0", "v1", "v2"])
    np.testing.assert_array_equal(found["hlr_iou", None].values, [0.3, 0.1, np.nan])
    np.testing.assert_array_equal(found["hlr_iou", None].denominators, [np.nan] * 3)
    np.testing.assert_array_equal(found["boundary_f1@3s", 1].values, [0.5, np.nan, 0.2])
    np.testing.assert_allclose(found["boundary_f1@3s", 1].numerators, [5.0, np.nan, 2.0])
    assert set(found) == {("hlr_iou", None), ("boundary_f1@3s", 1)}


def test_videos_that_were_annotated_otherwise_do_not_count(tmp_path):
    """A run that was scored before the annotations were corrected."""
    scores = [*annotated(VIDEOS[:1], 6), *annotated(VIDEOS[1:]), *rows(values_of(0))]
    shared = shared_scores(opened(simple_run(tmp_path / "a", 1), scored_run(tmp_path / "b", scores)))
    assert shared.truth_levels == {"scene": list(VIDEOS[1:])}
    assert "1 video left out of 'scene', annotated otherwise when another run was scored" in shared.remarks[0]
    assert shared.remarks[0].endswith(": v0")


def test_nothing_annotated_alike_is_an_error_that_says_so(tmp_path):
    scores = [*annotated(VIDEOS, 6), *rows(values_of(0))]
    runs = opened(simple_run(tmp_path / "a", 1), scored_run(tmp_path / "b", scores))
    with pytest.raises(
        ComparisonError, match="no video counts: 8 videos left out of 'scene', annotated otherwise"
    ):
        shared_scores(runs)


def test_annotated_levels_that_one_run_lacks_are_told(tmp_path):
    more = [*annotated(truth_level="clip"), *rows(values_of(2), truth_level="clip")]
    scores = [*annotated(), *rows(values_of(0)), *more]
    shared = shared_scores(opened(simple_run(tmp_path / "a", 1), scored_run(tmp_path / "b", scores)))
    assert list(shared.truth_levels) == ["scene"]
    assert shared.remarks == ["b: annotated levels that not all runs have: clip"]


def test_the_best_level_is_chosen_on_the_videos_that_count(tmp_path):
    """Level 1 is best over all videos of the run, level 0 over those that both runs have."""
    f1 = "boundary_f1@0.5s"
    scores = rows({"v0": 0.5, "v1": 0.5, "v2": 0.0}, f1, level=0) + rows(
        {"v0": 0.4, "v1": 0.4, "v2": 1.0}, f1, level=1
    )
    folder = scored_run(tmp_path / "a", [*annotated(VIDEOS[:3]), *scores])
    other = simple_run(tmp_path / "b", 1, VIDEOS[:2])
    assert shared_scores(opened(folder, other)).columns[0].best_levels() == {"scene": 0}
    whole = simple_run(tmp_path / "c", 1, VIDEOS[:3])
    assert shared_scores(opened(folder, whole)).columns[0].best_levels() == {"scene": 1}
