"""The `segment` command: the same hierarchies as `streamer.segment`, in the files of a run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import streamer
from pipelines.cli import parse
from pipelines.run_folder import CHECKPOINT_FILE, FINAL_CHECKPOINT, RunFolder
from streamer import checkpoint
from streamer.streamer import Streamer
from tests.pipelines.conftest import MODEL, SECONDS, VIDEO_MODEL, write_vectors
from tests.pipelines.runs import artifacts, check_run, hierarchies, statuses, table, tracked


def make_model(*settings: str) -> Streamer:
    config = parse("train", ["x", "--out", "x", *MODEL, *settings, "--model.initial_levels=3"]).model
    return Streamer(config, seed=5)


@pytest.fixture(scope="session")
def video_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run, as far as its final checkpoint goes."""
    folder = RunFolder(tmp_path_factory.mktemp("trained"))
    final = folder.checkpoints / FINAL_CHECKPOINT
    final.mkdir(parents=True)
    checkpoint.save(make_model(*VIDEO_MODEL), final / CHECKPOINT_FILE)
    return folder.root


@pytest.fixture
def vector_checkpoint(tmp_path: Path) -> Path:
    model = make_model()
    vectors = Streamer(replace(model.config, modality="vectors"), seed=5)
    checkpoint.save(vectors, tmp_path / "vectors.pt")
    return tmp_path / "vectors.pt"


def test_hierarchies_are_those_of_the_library(clips, video_run, command):
    done = command("segment", clips, "--model", video_run)
    assert done.code == 0
    run = check_run(done.folder)
    model = streamer.load(video_run / "checkpoints" / FINAL_CHECKPOINT / CHECKPOINT_FILE)
    found = hierarchies(done.folder)
    assert set(found) == set(SECONDS)
    for name in SECONDS:
        assert table(found[name]) == table(streamer.segment(str(clips / f"{name}.mp4"), model))
    assert run["totals"]["snippets"] == 2 * sum(SECONDS.values())
    assert run["totals"]["events"] == [
        sum(len(h.levels[level]) for h in found.values()) for level in range(3)
    ]


def test_a_run_is_tracked_and_only_own_lines_are_printed(clips, video_run, command):
    done = command("segment", clips, "--model", video_run)
    client, run = tracked(done.folder)
    assert run.info.status == "FINISHED"
    assert run.data.params["model.feature_dim"] == "16"
    assert "videos.parquet" in artifacts(client, run)
    own = ("4 readable inputs", "segmenting: ", "4 done", "hierarchies ", "videos ", "figures ", "MLflow ")
    assert [line for line in done.output.splitlines() if not line.startswith(own)] == []


def test_a_checkpoint_file_over_vectors(tmp_path, vector_checkpoint, command):
    path = write_vectors(tmp_path / "v.npy", 37)
    done = command("segment", path, "--model", vector_checkpoint, "--signals", "false")
    assert done.code == 0
    check_run(done.folder)
    expected = streamer.segment(str(path), streamer.load(vector_checkpoint))
    assert table(hierarchies(done.folder)["v"]) == table(expected)
    assert not done.folder.signals.exists()


@pytest.mark.parametrize(("allowed", "code"), [(0, 1), (1, 0)])
def test_damaged_inputs_are_rows(damaged, video_run, command, allowed, code):
    done = command("segment", damaged, "--model", video_run, "--max-failed", allowed)
    assert done.code == code
    check_run(done.folder)
    assert statuses(done.folder) == {"good": "done", "cut": "done", "text": "failed", "sound": "skipped"}
    assert "Traceback" not in done.output


def test_a_value_that_is_not_finite_fails_its_file_alone(tmp_path, vector_checkpoint, command):
    folder = tmp_path / "vectors"
    folder.mkdir()
    write_vectors(folder / "a.npy", 20)
    rows = np.load(write_vectors(folder / "b.npy", 20))
    rows[11, 3] = np.nan
    np.save(folder / "b.npy", rows)
    done = command("segment", folder, "--model", vector_checkpoint)
    assert done.code == 1
    check_run(done.folder)
    assert statuses(done.folder) == {"a": "done", "b": "failed"}
    [row] = [row for row in done.folder.read_videos() if row["video_id"] == "b"]
    assert "row 11" in row["reason"]
    assert row["snippets"] == 11


def test_truth_is_scored(clips, video_run, command, tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_text("video_id,level,start_s,end_s,label\na,0,0,3,x\na,0,3,6,y\n")
    done = command("segment", clips, "--model", video_run, "--truth", truth)
    assert done.code == 0
    scores = pd.read_parquet(done.folder.evaluation)
    assert {"streamer", "fixed_period"} <= set(scores["predictor"])
    client, run = tracked(done.folder)
    assert "evaluation.parquet" in artifacts(client, run)


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        ("video_run", "vectors", "the model takes frames, the inputs are vectors"),
        ("vector_checkpoint", "clips", "model.modality is `vectors`, but the inputs are videos"),
        ("vector_checkpoint", "wide", "vectors of 24 numbers, but model.feature_dim is 16"),
        ("absent", "clips", "no such checkpoint"),
        ("clips", "clips", "holds no final checkpoint"),
    ],
)
def test_what_does_not_fit_is_one_line_and_nothing_is_written(
    request, tmp_path, clips, command, model, inputs, message
):
    places = {
        "clips": clips,
        "absent": tmp_path / "absent.pt",
        "vectors": write_vectors(tmp_path / "v.npy", 9),
        "wide": write_vectors(tmp_path / "w.npy", 9, dim=24),
    }
    path = places[model] if model in places else request.getfixturevalue(model)
    done = command("segment", places[inputs], "--model", path, out="deep/run")
    assert done.code == 2
    errors = [line for line in done.output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert done.output.endswith(errors[0] + "\n")
    assert message in errors[0]
    assert not (tmp_path / "deep").exists()


def test_a_bug_leaves_a_run_that_says_it_failed(clips, video_run, command, tmp_path, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the bug")

    monkeypatch.setattr("pipelines.segment.segment_recording", broken)
    with pytest.raises(ZeroDivisionError):
        command("segment", clips, "--model", video_run)
    folder = RunFolder(tmp_path / "run")
    assert folder.read_run()["state"] == "failed"
    assert tracked(folder)[1].info.status == "FAILED"


def test_ctrl_c_keeps_what_is_finished(clips, video_run, command, monkeypatch):
    from pipelines import segment

    real, calls = segment.segment_recording, []

    def interrupted(uri: str, *args: Any, **options: Any) -> Any:
        calls.append(uri)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(uri, *args, **options)

    monkeypatch.setattr(segment, "segment_recording", interrupted)
    done = command("segment", clips, "--model", video_run)
    assert done.code == 130
    check_run(done.folder, "interrupted")
    assert statuses(done.folder) == {"a": "done", "b": "skipped", "c": "skipped", "d": "skipped"}
    assert tracked(done.folder)[1].info.status == "KILLED"
