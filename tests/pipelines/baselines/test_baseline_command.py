"""The `baseline` command: the files of a run, by predictors that do not learn."""

import importlib.util
import signal

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipelines.baselines import workers
from pipelines.progress import ProgressDisplay, Totals
from pipelines.run_folder import RunFolder
from pipelines.store import read_signals
from streamer.features import FEATURE_DIM
from tests.pipelines.baselines.shots import encode_shots
from tests.pipelines.baselines.watched import scenes
from tests.pipelines.conftest import SECONDS
from tests.pipelines.runs import artifacts, check_run, hierarchies, statuses, tracked

SHOTS = [37, 41, 60, 29]


@pytest.fixture
def table(tmp_path):
    """Durations of three videos."""
    path = tmp_path / "info.csv"
    path.write_text("video_id,duration,fps,resolution\na,33.5,25,1x1\nb,120,50,1x1\nc/d,0.7,50,1x1\n")
    return path


@pytest.fixture
def truth(tmp_path):
    path = tmp_path / "truth.csv"
    rows = ["a,clip,0,10,x", "a,clip,10,33.5,y", "a,scene,0,33.5,z", "b,clip,5,50,x", "b,clip,50,119,y"]
    path.write_text("video_id,level,start_s,end_s,label\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def vectors(tmp_path):
    """Features of two videos, which change after known numbers of rows."""
    folder = tmp_path / "vectors"
    folder.mkdir()
    np.save(folder / "v.npy", scenes([5, 8, 7]))
    np.save(folder / "w.npy", scenes([4, 4], seed=1))
    return folder


def test_videos_become_a_run_as_any_other(clips, command, tmp_path):
    cache = tmp_path / "cache"
    done = command("baseline", "novelty", clips, "--workers", 2, "--cache", cache)
    assert done.code == 0, done.output
    run = check_run(done.folder)
    assert (run["command"], run["predictor"]) == ("baseline", "novelty")
    assert run["totals"]["snippets"] == 2 * sum(SECONDS.values())
    assert done.folder.success.exists()
    found = hierarchies(done.folder)
    assert set(found) == set(SECONDS)
    for video_id, hierarchy in found.items():
        assert hierarchy.dim == FEATURE_DIM
        signals = read_signals(done.folder, video_id)
        assert signals is not None
        cuts = signals.to_pandas().query("level == 0 and boundary")["time_s"].tolist()
        assert cuts == hierarchy.boundaries(0).tolist()
    client, mlflow_run = tracked(done.folder)
    assert mlflow_run.info.status == "FINISHED"
    assert mlflow_run.data.params["name"] == "novelty"
    assert mlflow_run.data.params["demarcation.window_size"] == "50"
    assert "period" not in mlflow_run.data.params
    assert "videos.parquet" in artifacts(client, mlflow_run)
    assert list(cache.rglob("*"))
    again = command("baseline", "novelty", clips, "--workers", 1)
    assert again.code == 0
    assert "this run finished" in again.output
    for words, differing in (
        (("clustering",), "name was 'novelty', is 'clustering'"),
        (("novelty", "--levels", "2"), "levels was 3, is 2"),
        (("novelty", "--demarcation.window_size", "20"), "demarcation.window_size was 50, is 20"),
    ):
        refused = command("baseline", *words, clips)
        assert refused.code == 2
        assert differing in refused.output


def test_damaged_inputs_are_rows_as_in_segment(damaged, command):
    done = command("baseline", "dyadic_grid", damaged)
    assert done.code == 1
    check_run(done.folder)
    assert statuses(done.folder) == {"good": "done", "cut": "done", "text": "failed", "sound": "skipped"}
    reasons = {row["video_id"]: row["reason"] for row in done.folder.read_videos()}
    assert reasons["cut"] is not None
    assert not done.folder.success.exists()
    again = command("baseline", "dyadic_grid", damaged, "--max-failed", 1)
    assert again.code == 0


def test_vectors_are_features(vectors, command):
    done = command("baseline", "clustering", vectors, "--lengths", "[1.2,3.4]", "--snippet_size", 0.5)
    assert done.code == 0, done.output
    check_run(done.folder)
    found = hierarchies(done.folder)["v"]
    assert found.boundaries(1).tolist() == [2.5, 6.5]
    assert found.dim == 8
    assert not done.folder.signals.exists()


def test_scenes_of_a_video(tmp_path, command):
    encode_shots(tmp_path / "shots.mp4", SHOTS)
    done = command("baseline", "scenes", tmp_path / "shots.mp4", "--detector", "content")
    assert done.code == 0, done.output
    check_run(done.folder)
    found = hierarchies(done.folder)["shots"]
    assert found.boundaries(0).tolist() == [37 / 25, 78 / 25, 138 / 25]
    assert found.num_levels == 4
    assert all(event.representation is not None for event in found.levels[0])


def test_scenes_need_their_extra_and_videos(tmp_path, vectors, command, monkeypatch):
    refused = command("baseline", "scenes", vectors)
    assert refused.code == 2
    assert "scenes looks at videos, not at vectors: name videos" in refused.output
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    refused = command("baseline", "scenes", vectors)
    assert refused.code == 2
    assert refused.output.splitlines() == [
        "error: scenes needs PySceneDetect, which is not installed: pip install 'streamer-ray[scenes]'"
    ]
    assert not (tmp_path / "run").exists()


def test_durations_are_enough_for_blind_predictors(table, truth, command):
    done = command("baseline", "dyadic_grid", table, "--truth", truth)
    assert done.code == 0, done.output
    run = check_run(done.folder)
    assert run["predictor"] == "dyadic_grid"
    rows = {row["video_id"]: row for row in done.folder.read_videos()}
    assert (rows["b"]["fps"], rows["b"]["snippets"], rows["c/d"]["snippets"]) == (50.0, 240, 2)
    assert [len(level) for level in hierarchies(done.folder)["a"].levels] == [64, 32, 16]
    assert pq.read_schema(done.folder.hierarchy_of("a")).field("representation").type.list_size == 1
    scores = pd.read_parquet(done.folder.evaluation)
    assert "dyadic_grid" in set(scores["predictor"])
    for words, message in (
        (("--workers", 2), "--workers has no effect on tables of durations"),
        (("--cache", "x"), "--cache has no effect on tables of durations"),
    ):
        refused = command("baseline", "dyadic_grid", table, *words)
        assert refused.code == 2
        assert message in refused.output
    table.write_text(table.read_text() + "e,3,25,1x1\n")
    refused = command("baseline", "dyadic_grid", table)
    assert refused.code == 2
    assert "durations_crc32 was" in refused.output


def test_uniform_is_told_the_true_number_of_events(table, truth, command):
    refused = command("baseline", "uniform", table, "--truth", truth)
    assert refused.code == 2
    assert "has the levels clip, scene: name one with --truth_level" in refused.output
    done = command("baseline", "uniform", table, "--truth", truth, "--truth_level", "clip")
    assert done.code == 0, done.output
    check_run(done.folder)
    assert statuses(done.folder) == {"a": "done", "b": "done", "c/d": "skipped"}
    assert hierarchies(done.folder)["b"].boundaries(0).tolist() == [60.0]
    truth.write_text(truth.read_text() + "b,clip,70,80,w\n")
    refused = command("baseline", "uniform", table, "--truth", truth, "--truth_level", "clip")
    assert refused.code == 2
    assert "annotated_crc32 was" in refused.output


def test_annotations_are_found_again_from_another_folder(table, truth, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command("baseline", "dyadic_grid", table.name, "--truth", truth.name)
    assert done.code == 0
    assert done.folder.read_run()["config"]["truth"] == str(truth)


def test_those_who_look_take_no_durations(table, command):
    refused = command("baseline", "clustering", table)
    assert refused.code == 2
    assert "lacks the column uri" in refused.output


@pytest.mark.parametrize(
    ("number", "code", "state"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "stopped")]
)
def test_a_signal_keeps_what_is_finished_and_the_same_command_goes_on(
    vectors, command, monkeypatch, number, code, state
):
    real, raised = ProgressDisplay.show, []

    def show(display: ProgressDisplay, totals: Totals) -> None:
        real(display, totals)
        if totals.ended and not raised:
            raised.append(number)
            signal.raise_signal(number)

    words = ["baseline", "change_points", vectors]
    with monkeypatch.context() as patches:
        patches.setattr(workers, "POLL_SECONDS", 0.0)
        patches.setattr(ProgressDisplay, "show", show)
        done = command(*words)
    assert done.code == code
    check_run(done.folder, state)
    assert statuses(done.folder) == {"v": "done", "w": "skipped"}
    assert tracked(done.folder)[1].info.status == "KILLED"
    before = done.folder.hierarchy_of("v").stat().st_mtime_ns
    again = command(*words)
    assert again.code == 0
    run = check_run(again.folder)
    assert "1 video done so far" in again.output
    assert run["totals"]["snippets"] == 28
    assert again.folder.hierarchy_of("v").stat().st_mtime_ns == before


def test_a_fault_leaves_a_run_that_says_it_failed(vectors, command, tmp_path, monkeypatch):
    def faulty(*_, **__):
        raise workers.WorkerFaultError("the bug")

    monkeypatch.setattr("pipelines.baselines.command.watch_videos", faulty)
    with pytest.raises(workers.WorkerFaultError, match="the bug"):
        command("baseline", "clustering", vectors)
    folder = RunFolder(tmp_path / "run")
    assert folder.read_run()["state"] == "failed"
    assert tracked(folder)[1].info.status == "FAILED"
