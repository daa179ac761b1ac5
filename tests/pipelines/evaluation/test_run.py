"""Scores of a whole run: what is scored, what is refused, what is written and recorded."""

import math

import pandas as pd
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient
from mlflow.utils.validation import _validate_metric
from rich.console import Console

from pipelines.config import EvaluateConfig
from pipelines.evaluate import evaluate
from pipelines.evaluation import run as evaluation
from pipelines.evaluation.run import metric_values
from pipelines.evaluation.scores import SCORES_SCHEMA, write_scores
from pipelines.evaluation.scoring import PREDICTORS, score_video, summarise
from pipelines.run_folder import RunFolderError
from pipelines.tracking import TrackingError
from pipelines.truth import clip_to_duration, read_truth
from streamer.errors import HierarchyError, TruthError
from tests.pipelines.finished_run import THREE_LEVELS, files_below, make_run, write_truth

# The coarser annotation is the middle level of `THREE_LEVELS`, event by event.
MIDDLE = [f"a,scene,{start},{end},s" for start, end in ((0, 2), (2, 6), (6, 12), (12, 20))]


def quiet() -> Console:
    return Console(quiet=True)


def scored(folder, truth):
    return evaluation.evaluate_run(folder, read_truth(truth), 0, quiet())


def test_hierarchy_that_holds_the_truth_scores_one(tmp_path):
    folder = make_run(tmp_path / "run")
    scores = scored(folder, write_truth(tmp_path / "truth.csv", *MIDDLE))
    assert (scores.scored, scores.missing) == (["a"], [])
    values = {(s.predictor, s.level, s.metric): s.value for s in scores.scores if s.predictor == "streamer"}
    assert values["streamer", 1, "boundary_f1@0.5s"] == 1
    assert values["streamer", None, "hlr_iou"] == 1
    assert values["streamer", 0, "events"] == len(THREE_LEVELS[0])
    assert {s.predictor for s in scores.scores} == {*PREDICTORS, "truth"}


def test_scores_lie_in_a_table_that_other_tools_read(tmp_path):
    folder = make_run(tmp_path / "run")
    scores = scored(folder, write_truth(tmp_path / "truth.csv", *MIDDLE))
    assert not folder.evaluation.exists()
    write_scores(scores.scores, folder)
    assert pq.read_schema(folder.evaluation) == SCORES_SCHEMA
    table = pd.read_parquet(folder.evaluation)
    assert len(table) == len(scores.scores)
    assert table.query("predictor == 'streamer' and metric == 'hlr_iou'")["value"].tolist() == [1.0]


def test_annotated_videos_without_hierarchy_are_told(tmp_path):
    folder = make_run(tmp_path / "run", ["a"], [f"[/x]{index}" for index in range(7)])
    rows = [f"[/x]{index},scene,0,5,s" for index in range(7)]
    scores = scored(folder, write_truth(tmp_path / "truth.csv", *MIDDLE, *rows))
    assert (scores.scored, len(scores.missing)) == (["a"], 7)
    console = Console(width=100)
    with console.capture() as capture:
        evaluation.show(scores, console)
    assert "7 annotated videos have no hierarchy and no score: [/x]0, " in capture.get()
    assert "[/x]4 and 2 more" in capture.get()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a,scene,0,5,s", "aa,scene,0,5,s", "zz,scene,0,5,s"], "2 of 3 video_ids are unknown: 'aa'"),
        (["bad,scene,0,5,s"], "none of its 1 videos has a hierarchy"),
    ],
)
def test_refused_truth_leaves_the_run_as_it_was(tmp_path, rows, message):
    folder = make_run(tmp_path / "run", failed=["bad"])
    truth = write_truth(tmp_path / "truth.csv", *rows)
    before = files_below(folder.root)
    with pytest.raises(TruthError, match=message):
        evaluate(EvaluateConfig(str(folder.root), str(truth)), quiet())
    assert files_below(folder.root) == before


def test_damaged_hierarchy_leaves_the_run_as_it_was(tmp_path):
    folder = make_run(tmp_path / "run")
    folder.hierarchy_of("a").write_bytes(b"noise")
    before = files_below(folder.root)
    truth = write_truth(tmp_path / "truth.csv", *MIDDLE)
    with pytest.raises(HierarchyError, match=r"a\.parquet"):
        evaluate(EvaluateConfig(str(folder.root), str(truth)), quiet())
    assert files_below(folder.root) == before


def test_unusable_tracking_store_leaves_the_run_as_it_was(tmp_path):
    folder = make_run(tmp_path / "run")
    before = files_below(folder.root)
    truth = write_truth(tmp_path / "truth.csv", *MIDDLE)
    with pytest.raises(TrackingError):
        evaluate(EvaluateConfig(str(folder.root), str(truth), tracking_uri="nonsense://x"), quiet())
    assert files_below(folder.root) == before


def test_folder_that_is_no_run(tmp_path):
    truth = write_truth(tmp_path / "truth.csv", *MIDDLE)
    with pytest.raises(RunFolderError):
        evaluate(EvaluateConfig(str(tmp_path / "absent"), str(truth)), quiet())


def test_command_records_scores_table_and_figures(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = make_run(tmp_path / "run[/x]")
    truth = write_truth(
        tmp_path / "truth.csv", *MIDDLE, *[row.replace("a,scene", "b,action.1") for row in MIDDLE]
    )
    uri = f"sqlite:///{tmp_path / 'store.db'}"
    console = Console(width=110)
    with console.capture() as capture:
        assert evaluate(EvaluateConfig(str(folder.root), str(truth), tracking_uri=uri), console) == 0
    assert str(folder.evaluation) in capture.get().replace("\n", "")
    assert len(pd.read_parquet(folder.evaluation)["video_id"].unique()) == 2
    assert sorted(path.name for path in folder.figures.iterdir()) == [
        "a.signal.png",
        "a.timeline.png",
        "b.timeline.png",
    ]
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("streamer")
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["scene/streamer/boundary_f1_at_0.5s/level1"] == 1
    assert run.data.metrics["action.1/streamer/hlr_iou"] == 1
    assert {artifact.path for artifact in client.list_artifacts(run.info.run_id)} >= {
        "evaluation.parquet",
        "figures",
    }


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
    summary = summarise(score_video("v", [levels], truth, duration=20.0, fps=25, seed=0))
    values = metric_values(summary)
    for name, value in values.items():
        _validate_metric(name, value, 0, 0)
    plain = metric_values(summary.loc[summary["truth_level"] == "a_b", :])
    assert len(values) == len(plain) * len(HOSTILE_LEVELS), "no level may take another's name"
    assert "a_b/streamer/hlr_iou" in plain


def test_undefined_means_are_left_out():
    truth = {"scene": [(50.0, 60.0, "past the end")]}
    summary = summarise(score_video("v", [[(0.0, 20.0)]], truth, duration=20.0, fps=25, seed=0))
    values = metric_values(summary)
    assert values["scene/truth/events"] == 0
    assert not any(math.isnan(value) for value in values.values())
    assert "scene/streamer/hlr_iou" not in values


@pytest.mark.parametrize(
    ("end", "duration", "clipped"),
    [(61.4, 61.39999999, 0), (61.4, 61.3996, 0), (61.4, 61.39, 1), (61.39, 61.4, 0)],
)
def test_rounding_alone_cuts_no_event(end, duration, clipped):
    inside, count = clip_to_duration([(50.0, end, "last")], duration)
    assert inside == [(50.0, min(end, duration), "last")]
    assert count == clipped
    scores = score_video(
        "v", [[(0.0, duration)]], {"scene": [(50.0, end, "last")]}, duration=duration, fps=25, seed=0
    )
    assert [s.value for s in scores if s.metric == "events_clipped"] == [clipped]


def test_event_left_out_counts_however_short():
    assert clip_to_duration([(10.0, 10.0005, "sliver")], 10.0) == ([], 1)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"distance": "similarity"}, "similarity"),
        ({"distance": "distance"}, "error"),
        ({"distance": "similarity", "force_base_distance": True}, "signal"),
    ],
)
def test_figures_call_the_signal_what_it_is(tmp_path, monkeypatch, model, expected):
    folder = make_run(tmp_path)
    folder.write_run("finished", {"config": {"model": model}})
    names = []
    draw = evaluation.figures.signal_figure

    def noted(*arguments, signal_name):
        names.append(signal_name)
        return draw(*arguments, signal_name=signal_name)

    monkeypatch.setattr(evaluation.figures, "signal_figure", noted)
    evaluation.draw_figures(folder, ["a"], None)
    assert names == [expected]
