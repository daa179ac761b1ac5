"""Metrics by which trials are ranked, from the scores of a run."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.annotations import read_truth
from pipelines.evaluation.run import evaluate_run
from pipelines.evaluation.scores import write_scores
from pipelines.evaluation.tracked import metric_values
from pipelines.run_folder import RunFolder
from pipelines.sweep.plan import SweepError, read_plan
from pipelines.sweep.records import Record, settle
from pipelines.sweep.scores import Scores, check_metric, read_scores
from tests.pipelines.finished_run import make_run, write_truth
from tests.pipelines.sweep.files import write_file


@pytest.fixture
def scored(tmp_path):
    """A run with scores, and what MLflow got of them."""
    folder = make_run(tmp_path / "run")
    truth = read_truth(write_truth(tmp_path / "t.csv", "a,scene,0,2,x", "a,scene,2,20,y", "b,scene,0,7,x"))
    evaluation = evaluate_run(folder, truth, 0, Console(file=io.StringIO()))
    write_scores(evaluation.scores, folder, truth.path)
    return folder, metric_values(evaluation.summary, evaluation.predictor)


def known(folder: RunFolder) -> Scores:
    scores = read_scores(folder)
    assert scores is not None
    return scores


def test_names_and_values_are_those_of_mlflow_for_the_run_itself(scored):
    folder, tracked = scored
    scores = known(folder)
    assert scores.values == {name: value for name, value in tracked.items() if "/beside/" not in name}
    assert {"scene/hlr_iou", "scene/level0/boundary_f1_at_3s"} <= scores.values.keys() <= set(scores.names)
    assert scores.values.keys() < tracked.keys()


def test_a_run_without_scores(tmp_path):
    assert read_scores(make_run(tmp_path / "run")) is None


def test_a_metric_that_is_undefined_in_all_videos_is_known(tmp_path):
    folder = make_run(tmp_path / "run", done=["a"])
    whole = read_truth(write_truth(tmp_path / "t.csv", "a,scene,0,20,x"))  # has no boundary
    evaluation = evaluate_run(folder, whole, 0, Console(file=io.StringIO()))
    write_scores(evaluation.scores, folder, whole.path)
    metric = "scene/level0/boundary_recall_at_3s"
    assert metric not in known(folder).values
    check_metric(read_plan(str(write_file(tmp_path, metric=metric))), known(folder))


@pytest.mark.parametrize("metric", ["hlr_iou", "level0/boundary_f1_at_3s", "level9/boundary_f1_at_3s"])
def test_known_metrics(tmp_path, scored, metric):
    """A level that this trial does not have may exist in another."""
    check_metric(read_plan(str(write_file(tmp_path, metric=f"scene/{metric}"))), known(scored[0]))


@pytest.mark.parametrize(
    ("metric", "near"),
    [
        ("scene/hlr_io", "did you mean scene/hlr_iou, scene/hlr_mof"),
        ("hlr_iou", "did you mean scene/hlr_iou"),
        ("scene/streamer/hlr_iou", "did you mean scene/hlr_iou"),
        ("scene/boundary_f1_at_3s", "boundary_f1_at_3s"),
        ("zzzz", "there are all levels/"),
    ],
)
def test_an_unknown_metric_is_refused_with_the_nearest(tmp_path, scored, metric, near):
    path = write_file(tmp_path, metric=metric)
    with pytest.raises(SweepError) as refused:
        check_metric(read_plan(str(path)), known(scored[0]))
    assert str(refused.value).startswith(f"{path}: unknown metric {metric} (")
    assert near in str(refused.value)


def settled(tmp_path: Path, videos: dict[str, int], **changes) -> Record:
    """The first trial of a sweep, whose run is the one that was scored."""
    plan = read_plan(str(write_file(tmp_path, **changes)))
    record = Record(plan.trials[0])
    record.trial.folder.root.parent.mkdir(parents=True)
    (tmp_path / "run").rename(record.trial.folder.root)
    settle(record, plan, {"videos": videos})
    return record


def test_a_scored_trial_has_its_value(tmp_path, scored):
    record = settled(tmp_path, {"done": 2, "failed": 0})
    assert (record.state, record.reason) == ("finished", None)
    assert record.value == scored[1]["scene/hlr_iou"]


def test_a_trial_without_the_level_is_finished_without_a_value(tmp_path, scored):
    record = settled(tmp_path, {"done": 2, "failed": 0}, metric="scene/level9/boundary_f1_at_3s")
    assert (record.state, record.value) == ("finished", None)


def test_a_trial_with_more_failed_videos_than_allowed_has_failed(tmp_path, scored):
    record = settled(tmp_path, {"done": 1, "failed": 2})
    assert (record.state, record.value) == ("failed", None)
    assert record.reason == "2 videos failed; train.max_failed allows 0"


def test_so_many_failed_videos_are_allowed(tmp_path, scored):
    train = {"inputs": ["videos"], "recipe": "release", "max_failed": 2}
    assert settled(tmp_path, {"done": 1, "failed": 2}, train=train).state == "finished"


def test_a_trial_that_could_not_be_scored_has_failed(tmp_path):
    make_run(tmp_path / "run")
    assert (
        settled(tmp_path, {"done": 2, "failed": 0}).reason == "not scored: no annotated video has a hierarchy"
    )
