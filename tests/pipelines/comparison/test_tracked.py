"""What MLflow holds of a comparison, read back as its pages read it."""

import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Metric, Run
from mlflow.tracking import MlflowClient
from mlflow.utils.validation import _validate_metric

from pipelines.cli import main
from pipelines.comparison.columns import shared_scores
from pipelines.comparison.curves import MOST_POINTS, thinned
from pipelines.comparison.statistics import compare_columns
from pipelines.comparison.tracked import child_metrics
from pipelines.metric_names import unique_names
from tests.pipelines.comparison.scored_runs import (
    VIDEOS,
    annotated,
    floors,
    opened,
    rows,
    scored_run,
    simple_run,
    values_of,
)
from tests.pipelines.finished_run import make_run, write_truth
from tests.pipelines.runs import artifacts

EXPERIMENT = "comparisons"


@pytest.fixture(scope="module")
def source(store) -> tuple[MlflowClient, str]:
    """A run of MLflow with a curve, as `train` leaves it."""
    client = MlflowClient(store)
    experiment = client.create_experiment("source")
    run_id = client.create_run(experiment).info.run_id
    points = [Metric("signal/level0", step / 1000, 7, step) for step in range(1000)]
    client.log_batch(run_id, metrics=[*points, Metric("scene/hlr_iou", 0.5, 7, 0)])
    return client, run_id


@pytest.fixture(scope="module")
def compared(tmp_path_factory, store, source) -> tuple[MlflowClient, Run, dict[str, Run]]:
    """A comparison of two runs: the client, the parent and its children by name."""
    root = tmp_path_factory.mktemp("compared")
    f1 = "boundary_f1@0.5s"
    scores = [*annotated(), *rows(values_of(1)), *floors(), *rows(values_of(2), f1, level=1, denominator=2.0)]
    a = scored_run(
        root / "a",
        scores,
        config={"model": {"learning": {"lr": 0.1}}},
        mlflow={"uri": store, "run_id": source[1]},
    )
    (a.root / "figures").mkdir()
    (a.root / "figures" / "v0.timeline.png").write_bytes(b"png")
    gone = {"uri": f"sqlite:///{root}/gone.db", "run_id": "x"}
    b = simple_run(root / "b", 3, predictor="novelty", mlflow=gone, command="baseline")
    words = ["compare", str(a.root), str(b.root), "--out", str(root / "out"), "--tracking_uri", store]
    assert main([*words, "--experiment", EXPERIMENT]) == 0
    assert not (root / "gone.db").exists()
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    [parent] = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {str(run.info.run_name): run for run in runs if run is not parent}
    assert {run.data.tags["mlflow.parentRunId"] for run in children.values()} == {parent.info.run_id}
    return client, parent, children


def test_the_parent_shows_the_page(compared):
    client, parent, children = compared
    assert parent.info.run_name == "comparison of a, b"
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["streamer.command"] == "compare"
    assert parent.data.tags["mlflow.note.content"].startswith("# Comparison of `a`, `b`")
    assert parent.data.params["reference"] == "a"
    assert artifacts(client, parent) == {"comparison.md", "comparison.parquet"}
    assert len(children) == 6


def test_a_child_tells_what_the_run_was(compared, source):
    client, _, children = compared
    run = children["a"]
    assert run.info.status == "FINISHED"
    assert run.data.params["model.learning.lr"] == "0.1"
    assert run.data.params["predictor"] == "streamer"
    tags = run.data.tags
    assert (tags["streamer.command"], tags["streamer.predictor"]) == ("train", "streamer")
    assert (tags["streamer.version"], tags["mlflow.source.git.commit"]) == ("0.1.0", "abc123")
    assert (tags["streamer.dataset"], tags["streamer.source_run"]) == ("videos", source[1])
    assert tags["streamer.folder"].endswith("/a")
    assert artifacts(client, run) == {"evaluation.parquet", "figures/v0.timeline.png"}
    assert children["b"].data.tags["streamer.command"] == "baseline"


def test_runs_of_the_same_inputs_have_the_same_dataset(compared):
    _, _, children = compared
    datasets = []
    for name in "ab":
        inputs = children[name].inputs
        assert inputs is not None
        [used] = inputs.dataset_inputs
        datasets.append((used.dataset.name, used.dataset.digest))
    assert datasets[0] == datasets[1]
    assert datasets[0][0] == "videos"


def test_children_share_the_names_of_their_metrics(compared):
    _, _, children = compared
    a, b = values_of(1), values_of(3)
    assert children["a"].data.metrics["scene/hlr_iou"] == pytest.approx(np.mean(list(a.values())))
    assert children["b"].data.metrics["scene/hlr_iou"] == pytest.approx(np.mean(list(b.values())))
    floor = children["floor dyadic_grid"]
    assert floor.data.metrics["scene/hlr_iou"] == pytest.approx(np.mean(list(values_of(102).values())))
    assert floor.data.tags["streamer.predictor"] == "dyadic_grid"
    difference = children["b"].data.metrics["scene/difference/hlr_iou"]
    assert difference == pytest.approx(np.mean(list(b.values())) - np.mean(list(a.values())))
    assert children["b"].data.metrics["scene/wins/hlr_iou"] == sum(b[v] > a[v] for v in VIDEOS)
    low, high = (children["a"].data.metrics[f"scene/interval/hlr_iou_{end}"] for end in ("low", "high"))
    assert low < children["a"].data.metrics["scene/hlr_iou"] < high
    assert "scene/difference/hlr_iou" not in children["a"].data.metrics
    assert children["a"].data.metrics["scene/best_level/level"] == 1
    assert children["a"].data.metrics["scene/best_level/boundary_f1_at_0.5s"] == pytest.approx(
        children["a"].data.metrics["scene/level1/boundary_f1_at_0.5s"]
    )


def test_curves_are_taken_over_thinned_out(compared):
    client, _, children = compared
    history = client.get_metric_history(children["a"].info.run_id, "signal/level0")
    assert len(history) == MOST_POINTS
    assert sorted(point.step for point in history)[:: MOST_POINTS - 1] == [0, 999]
    assert {point.timestamp for point in history} == {7}
    assert all(point.value == pytest.approx(point.step / 1000) for point in history)
    assert len(client.get_metric_history(children["a"].info.run_id, "scene/hlr_iou")) == 1


def test_curves_that_cannot_be_had_are_told(tmp_path, store, source, capsys):
    """A store that is gone, one that is none, and one that does not know the run."""
    (tmp_path / "text.db").write_text("no database")
    places = [
        {"uri": f"sqlite:///{tmp_path}/gone.db", "run_id": "x"},
        {"uri": f"sqlite:///{tmp_path}/text.db", "run_id": "x"},
        {"uri": store, "run_id": "unknown"},
    ]
    folders = [simple_run(tmp_path / f"run{place}", 0, mlflow=facts) for place, facts in enumerate(places)]
    words = [str(folder.root) for folder in folders]
    assert main(["compare", *words, "--out", str(tmp_path / "out"), "--tracking_uri", store]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "without its curves by step" in line]
    assert [line.split(":")[0] for line in lines] == ["run0", "run1", "run2"]
    assert "gone.db: is not there any more" in lines[0]


@pytest.mark.parametrize(
    ("points", "most", "expected"), [(5, 10, 5), (10, 10, 10), (1000, 10, 10), (11, 10, 10), (0, 2, 0)]
)
def test_a_thinned_curve_keeps_its_ends(points, most, expected):
    kept = thinned(range(points), most)
    assert len(kept) == expected == len(set(kept))
    assert kept == sorted(kept)
    assert not points or (kept[0], kept[-1]) == (0, points - 1)


def test_names_are_what_mlflow_takes_whatever_the_levels_are_called(tmp_path):
    levels = ["..", ".", "a/b", "a_b", "/x", "../up", "l" * 400, "été: 5 %", " ", "@#"]
    f1 = "boundary_f1@0.5s"
    scores = [
        score
        for level in levels
        for score in (
            *annotated(truth_level=level),
            *rows(values_of(1), truth_level=level),
            *rows(values_of(2), f1, level=0, truth_level=level, denominator=3.0),
        )
    ]
    shared = shared_scores(opened(*(scored_run(tmp_path / name, scores) for name in "ab")))
    figures = [f for f in compare_columns(shared, (), seed=0) if f.column == "b"]
    metrics = child_metrics(figures, unique_names(shared.truth_levels))
    for name, value in metrics.items():
        _validate_metric(name, value, 0, 0)
        assert "@" not in name
    assert len(metrics) % len(levels) == 0


def test_scores_made_now_are_kept_with_the_child(tmp_path, store):
    """With --truth the run's own file says something else, and stays as it is."""
    folders = [make_run(tmp_path / name) for name in "xy"]
    truth = write_truth(
        tmp_path / "truth.csv", *(f"{v},scene,{s},{s + 5},l" for v in "ab" for s in (0, 5, 10))
    )
    words = ["compare", *(str(folder.root) for folder in folders), "--truth", str(truth)]
    assert main([*words, "--out", str(tmp_path / "out"), "--tracking_uri", store, "--experiment", "now"]) == 0
    assert not any(folder.evaluation.exists() for folder in folders)
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("now")
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id], "attributes.run_name = 'x'")
    path = client.download_artifacts(run.info.run_id, "evaluation.parquet", str(tmp_path))
    kept = pd.read_parquet(path)
    assert set(kept["video_id"].dropna()) == {"a", "b"}
    assert run.data.metrics["scene/hlr_iou"] == pytest.approx(
        kept.query("predictor == 'streamer' and metric == 'hlr_iou'")["value"].mean()
    )
