"""The `segment` command: the same hierarchies as `streamer.segment`, in the files of a run."""

import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import streamer
from pipelines import segmenter
from pipelines.cli import parse
from pipelines.progress import ProgressDisplay, Totals
from pipelines.run_folder import CHECKPOINT_FILE, FINAL_CHECKPOINT, RunFolder
from streamer import checkpoint
from streamer.streamer import Streamer
from tests.pipelines.conftest import MODEL, SECONDS, VIDEO_MODEL, write_vectors
from tests.pipelines.runs import artifacts, check_run, hierarchies, statuses, table, tracked
from tests.pipelines.test_segmenter import Buggy, Waits

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


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
def frozen(video_run: Path, tmp_path: Path) -> Path:
    """A checkpoint without a learner."""
    model = streamer.load(video_run / "checkpoints" / FINAL_CHECKPOINT / CHECKPOINT_FILE)
    checkpoint.save(model, tmp_path / "frozen.pt")
    return tmp_path / "frozen.pt"


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
    own = (
        "4 readable inputs",
        "segmenting: ",
        "4 done",
        "hierarchies ",
        "videos ",
        "figures ",
        "MLflow ",
        "look ",
    )
    assert [line for line in done.output.splitlines() if not line.startswith(own)] == []


def test_a_checkpoint_file_over_vectors(tmp_path, vector_checkpoint, command):
    path = write_vectors(tmp_path / "v.npy", 37)
    done = command("segment", path, "--model", vector_checkpoint, "--signals", "false")
    assert done.code == 0
    check_run(done.folder)
    expected = streamer.segment(str(path), streamer.load(vector_checkpoint))
    assert table(hierarchies(done.folder)["v"]) == table(expected)
    assert not done.folder.signals.exists()


def test_damaged_inputs_are_rows(damaged, video_run, command):
    done = command("segment", damaged, "--model", video_run)
    assert done.code == 1
    check_run(done.folder)
    assert statuses(done.folder) == {"good": "done", "cut": "done", "text": "failed", "sound": "skipped"}
    assert "Traceback" not in done.output
    again = command("segment", damaged, "--model", video_run, "--max-failed", 1)
    assert again.code == 0
    assert "this run finished" in again.output
    assert "readable input" not in again.output


def test_a_value_that_is_not_finite_fails_its_file_alone_until_it_is_mended(
    tmp_path, vector_checkpoint, command
):
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
    before = done.folder.hierarchy_of("a").stat().st_mtime_ns
    write_vectors(folder / "b.npy", 20)
    again = command("segment", folder, "--model", vector_checkpoint)
    assert again.code == 0
    run = check_run(again.folder)
    assert statuses(again.folder) == {"a": "done", "b": "done"}
    assert run["totals"]["snippets"] == 40
    assert again.folder.hierarchy_of("a").stat().st_mtime_ns == before


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
        ("video_run", "vectors", "the model takes frames, but the inputs are vectors"),
        ("vector_checkpoint", "clips", "the model takes vectors, but the inputs are videos"),
        ("vector_checkpoint", "wide", "vectors of 24 numbers, but the model takes 16"),
        ("absent", "clips", "no such checkpoint"),
        ("frozen", "clips", "holds no learner"),
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
    words = ["--adaptive", "true"] if model == "frozen" else []
    done = command("segment", places[inputs], "--model", path, *words, out="deep/run")
    assert done.code == 2
    errors = [line for line in done.output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert done.output.endswith(errors[0] + "\n")
    assert message in errors[0]
    assert not (tmp_path / "deep").exists()


def test_a_model_in_the_folder_of_the_run_is_refused(clips, video_run, command):
    checkpoint_file = video_run / "checkpoints" / FINAL_CHECKPOINT / CHECKPOINT_FILE
    done = command("segment", clips, "--model", video_run, "--fresh", "true", out=str(video_run))
    assert done.code == 2
    assert "choose another --out" in done.output
    assert checkpoint_file.exists()


def test_another_configuration_or_model_is_refused_but_with_fresh(tmp_path, vector_checkpoint, command):
    path = write_vectors(tmp_path / "v.npy", 12)
    assert command("segment", path, "--model", vector_checkpoint).code == 0
    refused = command("segment", path, "--model", vector_checkpoint, "--signals", "false")
    assert refused.code == 2
    assert "signals was True, is False" in refused.output
    checkpoint.save(Streamer(streamer.load(vector_checkpoint).config, seed=6), vector_checkpoint)
    refused = command("segment", path, "--model", vector_checkpoint)
    assert refused.code == 2
    assert "checkpoint_crc32" in refused.output
    again = command("segment", path, "--model", vector_checkpoint, "--fresh", "true")
    assert again.code == 0
    assert "removed from" in again.output
    expected = streamer.segment(str(path), streamer.load(vector_checkpoint))
    assert table(hierarchies(again.folder)["v"]) == table(expected)


def test_a_bug_leaves_a_run_that_says_it_failed(clips, video_run, command, tmp_path, monkeypatch):
    monkeypatch.setattr(segmenter, "Segmenter", Buggy)
    with pytest.raises(Exception, match="the bug"):  # Ray wraps it in errors of its own
        command("segment", clips, "--model", video_run)
    folder = RunFolder(tmp_path / "run")
    assert folder.read_run()["state"] == "failed"
    assert tracked(folder)[1].info.status == "FAILED"


@pytest.mark.parametrize(
    ("number", "code", "state"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "stopped")]
)
def test_a_signal_keeps_what_is_finished_and_the_same_command_goes_on(
    clips, video_run, command, monkeypatch, number, code, state
):
    real, raised = ProgressDisplay.show, []

    def show(display: ProgressDisplay, totals: Totals) -> None:
        real(display, totals)
        if totals.ended and not raised:
            raised.append(number)
            signal.raise_signal(number)

    words = ["segment", clips, "--model", video_run, "--lanes", 4]
    with monkeypatch.context() as patches:
        patches.setattr(segmenter, "Segmenter", Waits)
        patches.setattr(ProgressDisplay, "show", show)
        done = command(*words)
    assert done.code == code
    check_run(done.folder, state)
    assert statuses(done.folder) == {"a": "done", "b": "skipped", "c": "skipped", "d": "skipped"}
    assert tracked(done.folder)[1].info.status == "KILLED"
    if state == "stopped":
        return
    again = command(*words, "--workers", 2)
    assert again.code == 0
    run = check_run(again.folder)
    assert "1 video done so far" in again.output
    assert statuses(again.folder) == dict.fromkeys(SECONDS, "done")
    assert run["totals"]["snippets"] == 2 * sum(SECONDS.values())
    assert run["totals"]["events"] == [
        sum(len(h.levels[level]) for h in hierarchies(again.folder).values()) for level in range(3)
    ]
