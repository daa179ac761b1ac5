"""Scores of a whole run: what is scored, what is refused, what is written and recorded."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient
from rich.console import Console

from pipelines.annotations import Truth, read_truth
from pipelines.config import EvaluateConfig
from pipelines.evaluate import evaluate
from pipelines.evaluation.predictors import FLOORS
from pipelines.evaluation.run import evaluate_run, show
from pipelines.evaluation.scores import SCORES_SCHEMA, read_scores, scored_truth, write_scores
from pipelines.run_folder import RunFolderError
from pipelines.tracking import TrackingError
from streamer.errors import HierarchyError, TruthError
from tests.pipelines.finished_run import THREE_LEVELS, files_below, make_hierarchy, make_run, write_truth

# The coarser annotation is the middle level of `THREE_LEVELS`, event by event.
MIDDLE = [f"a,scene,{start},{end},s" for start, end in ((0, 2), (2, 6), (6, 12), (12, 20))]


def quiet() -> Console:
    return Console(quiet=True)


def scored(folder, truth):
    return evaluate_run(folder, read_truth(truth), 0, quiet())


def test_hierarchy_that_holds_the_truth_scores_one(tmp_path):
    folder = make_run(tmp_path / "run")
    scores = scored(folder, write_truth(tmp_path / "truth.csv", *MIDDLE))
    assert (scores.scored, scores.missing) == (["a"], [])
    values = {(s.predictor, s.level, s.metric): s.value for s in scores.scores if s.predictor == "streamer"}
    assert values["streamer", 1, "boundary_f1@0.5s"] == 1
    assert values["streamer", None, "hlr_iou"] == 1
    assert values["streamer", 0, "events"] == len(THREE_LEVELS[0])
    assert {s.predictor for s in scores.scores} == {"streamer", *FLOORS, "truth"}


def test_scores_lie_in_a_table_that_other_tools_read(tmp_path):
    folder = make_run(tmp_path / "run")
    scores = scored(folder, write_truth(tmp_path / "truth.csv", *MIDDLE))
    assert not folder.evaluation.exists()
    write_scores(scores.scores, folder, scores.truth.path)
    assert pq.read_schema(folder.evaluation) == SCORES_SCHEMA
    table = read_scores(folder)
    assert len(table) == len(scores.scores)
    assert table.query("predictor == 'streamer' and metric == 'hlr_iou'")["value"].tolist() == [1.0]


def shown(evaluation) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        show(evaluation, console)
    return capture.get()


def test_videos_without_score_are_told_by_kind(tmp_path):
    failed = [f"[/x]{index}" for index in range(7)]
    folder = make_run(tmp_path / "run", ["a", "[b]"], [*failed, "neither"])
    rows = [f"{name},scene,0,5,s" for name in [*failed, "elsewhere"]]
    evaluation = scored(folder, write_truth(tmp_path / "truth.csv", *MIDDLE, *rows))
    assert (evaluation.scored, evaluation.missing) == (["a"], failed)
    assert (evaluation.unknown, evaluation.unannotated) == (["elsewhere"], ["[b]"])
    text = shown(evaluation)
    assert "7 annotated videos without a hierarchy, and so without scores: [/x]0, " in text
    assert "[/x]4 and 2 more" in text
    assert "1 annotated video not in the run: elsewhere\n" in text
    assert "1 video without annotation, and so without scores: [b]\n" in text


def test_videos_are_found_by_name_as_datasets_call_them(tmp_path):
    folder = make_run(tmp_path / "run", ["P01/videos/a", "P01/videos/b"])
    evaluation = scored(folder, write_truth(tmp_path / "truth.csv", *MIDDLE, "z,scene,0,5,s"))
    assert (evaluation.scored, evaluation.unknown) == (["P01/videos/a"], ["z"])
    assert {s.video_id for s in evaluation.scores} == {"P01/videos/a"}
    assert evaluation.truth.notes == ("1 video found by name, such as a as P01/videos/a",)


def test_background_of_a_dataset_is_no_event_and_no_label(tmp_path):
    folder = make_run(tmp_path / "run", ["a"])
    videos = {"a": {"action": [(0.0, 6.0, "SIL"), (6.0, 12.0, "pour"), (12.0, 20.0, "SIL")]}}
    truth = Truth(tmp_path, videos, frozenset({"SIL"}), dataset="Breakfast")
    evaluation = evaluate_run(folder, truth, 0, quiet())
    values = {(s.predictor, s.metric): s.value for s in evaluation.scores}
    assert values["truth", "events"] == 1
    alone = {"a": {"action": [(0.0, 20.0, "SIL")]}}
    evaluation = evaluate_run(folder, replace(truth, videos=alone), 0, quiet())
    assert "frame_accuracy" not in {s.metric for s in evaluation.scores}


def test_representations_are_judged_over_all_videos(tmp_path):
    folder = make_run(tmp_path / "run", ["a", "b"])
    for name in "ab":
        plain = make_hierarchy(name)
        vectors = np.eye(8, dtype=np.float32)
        levels = [
            [replace(event, representation=vectors[n]) for n, event in enumerate(level)]
            for level in plain.levels
        ]
        replace(plain, levels=levels).to_parquet(folder.hierarchy_of(name))
    rows = [f"{row[:-1]}{n}" for n, row in enumerate(MIDDLE)]
    rows += [f"b{row[1:]}" for row in rows]
    evaluation = scored(folder, write_truth(tmp_path / "truth.csv", *rows))
    of_all = {
        (s.predictor, s.metric): s.value for s in evaluation.scores if s.video_id is None and s.level == 1
    }
    assert of_all["streamer", "retrieval_map"] == 1 > of_all["shuffled", "retrieval_map"]
    assert "Representations of streamer" in shown(evaluation)
    assert {s.predictor for s in evaluation.scores if s.metric == "clustered_edit"} == {"streamer"}


def test_nothing_is_told_where_every_video_has_a_score(tmp_path):
    folder = make_run(tmp_path / "run", ["a"])
    evaluation = scored(folder, write_truth(tmp_path / "truth.csv", *MIDDLE))
    assert (evaluation.missing, evaluation.unknown, evaluation.unannotated) == ([], [], [])
    assert "without" not in shown(evaluation)


def test_baseline_is_scored_under_its_own_name(tmp_path):
    folder = make_run(tmp_path / "run", ["a"])
    folder.write_run("finished", {"command": "baseline", "predictor": "clustering"})
    evaluation = scored(folder, write_truth(tmp_path / "truth.csv", *MIDDLE))
    assert evaluation.predictor == "clustering"
    assert {s.predictor for s in evaluation.scores} == {"clustering", *FLOORS, "truth"}
    assert "clustering" in shown(evaluation)


def test_a_run_that_is_a_floor_takes_its_place(tmp_path):
    """Its folder may hold another period than that of the floor; there is one predictor of that name."""
    folder = make_run(tmp_path / "run", ["a"])
    folder.write_run("finished", {"command": "baseline", "predictor": "fixed_period"})
    evaluation = scored(folder, write_truth(tmp_path / "truth.csv", *MIDDLE))
    counts = [
        (s.level, s.value) for s in evaluation.scores if (s.predictor, s.metric) == ("fixed_period", "events")
    ]
    assert counts == [(level, len(starts)) for level, starts in enumerate(THREE_LEVELS)]


@pytest.mark.parametrize("name", ["truth", "shuffled", "", 7, None, "a/b", "[red]x"])
def test_predictor_that_scores_cannot_be_stored_under_is_refused(tmp_path, name):
    folder = make_run(tmp_path / "run", ["a"])
    folder.write_run("finished", {"predictor": name})
    with pytest.raises(RunFolderError, match=r"run\.json: predictor is .*: give"):
        scored(folder, write_truth(tmp_path / "truth.csv", *MIDDLE))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["aa,scene,0,5,s", "zz,scene,0,5,s"], "2 of 2 video_ids are unknown: 'aa'"),
        (["bad,scene,0,5,s", "zz,scene,0,5,s"], "none of its 1 video that the run knows has a hierarchy"),
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
    folder = make_run(tmp_path / "run[/x]", ["a", "x/b"])
    truth = write_truth(
        tmp_path / "truth.csv", *MIDDLE, *[row.replace("a,scene", "b,action.1") for row in MIDDLE]
    )
    uri = f"sqlite:///{tmp_path / 'store.db'}"
    console = Console(width=110)
    with console.capture() as capture:
        assert evaluate(EvaluateConfig(str(folder.root), str(truth), tracking_uri=uri), console) == 0
    text = capture.get()
    assert str(folder.evaluation) in text.replace("\n", "")
    assert "1 video found by name, such as b as x/b\n" in text
    assert len(pd.read_parquet(folder.evaluation)["video_id"].unique()) == 2
    assert scored_truth(folder) == truth
    assert sorted(path.name for path in folder.figures.iterdir()) == [
        "a.signal.png",
        "a.timeline.png",
        "x%2Fb.timeline.png",
    ]
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("streamer")
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["scene/level1/boundary_f1_at_0.5s"] == 1
    assert run.data.metrics["action.1/hlr_iou"] == 1
    assert {artifact.path for artifact in client.list_artifacts(run.info.run_id)} >= {
        "evaluation.parquet",
        "figures",
    }


def test_a_level_with_the_name_of_all_levels_is_refused(tmp_path):
    folder = make_run(tmp_path / "run")
    truth = write_truth(tmp_path / "truth.csv", *MIDDLE, "a,all levels,0,5,s")
    with pytest.raises(TruthError, match="a level is called 'all levels'"):
        scored(folder, truth)


def test_run_that_cannot_be_written_is_refused_before_anything_is_scored(tmp_path, monkeypatch):
    folder = make_run(tmp_path / "run")
    truth = write_truth(tmp_path / "truth.csv", *MIDDLE)
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != folder.root and allowed(path, mode))
    before = files_below(tmp_path)
    with pytest.raises(RunFolderError, match="cannot be written"):
        evaluate(EvaluateConfig(str(folder.root), str(truth)), quiet())
    assert files_below(tmp_path) == before
