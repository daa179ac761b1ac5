"""The `train` command on small inputs, from the command line to files and tracked numbers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from pipelines.assignment import assign
from pipelines.catalog import build_catalog
from pipelines.cli import parse
from pipelines.replicas import checksum
from pipelines.run_folder import CHECKPOINT_FILE, FINAL_CHECKPOINT
from pipelines.snippets import ROW_SNIPPETS
from streamer import checkpoint
from streamer.hierarchy import Hierarchy
from streamer.sources import open_source
from streamer.streamer import Streamer
from tests.pipelines.conftest import MODEL, SECONDS, VIDEO_MODEL, Finished, write_vectors
from tests.pipelines.runs import artifacts, check_run, hierarchies, statuses, table, tracked

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

SETTINGS = [*MODEL, *VIDEO_MODEL, "--seed", 3]


@pytest.fixture(scope="module")
def one(clips: Path, tmp_path_factory: pytest.TempPathFactory, ray_cluster: str) -> Finished:
    """A run of one worker over all clips, with truth and a database of its own; nothing may touch it."""
    from pipelines.cli import main
    from pipelines.run_folder import RunFolder

    folder = tmp_path_factory.mktemp("one") / "run"
    truth = folder.parent / "truth.csv"
    lines = [
        f"{name},0,{start},{start + 2},event" for name in SECONDS for start in range(0, SECONDS[name] - 1, 2)
    ]
    truth.write_text("\n".join(["video_id,level,start_s,end_s,label", *lines, ""]))
    words = ["train", clips, "--out", folder, "--truth", truth, *SETTINGS]
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        code = main([str(word) for word in words])
    return Finished(RunFolder(folder), code, "")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As many threads as a worker has: sums depend on their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def final_checkpoint(run: Finished) -> Path:
    return run.folder.checkpoints / FINAL_CHECKPOINT / CHECKPOINT_FILE


def observe_directly(clips: Path) -> tuple[Streamer, dict[str, Hierarchy]]:
    """What the model makes of the clips without any pipeline around it."""
    words = [str(word) for word in [clips, "--out", "unused", *SETTINGS]]
    config = parse("train", words).model
    model = Streamer(config, seed=3)
    found = {}
    [videos] = assign(build_catalog([str(clips)], snippet_size=0.5).entries, 1)
    for entry in videos:
        with open_source(entry.uri, snippet_size=0.5, frame_size=16) as source:
            snippets = np.stack([*source])
            for start in range(0, len(snippets), ROW_SNIPPETS):
                block = snippets[start : start + ROW_SNIPPETS]
                model.offer(block)  # as many at once: the last bits depend on it
                for _ in block:
                    model.advance()
                    model.barrier()
            found[entry.video_id] = model.end_video(source.duration_s, entry.video_id)
    return model, found


@pytest.mark.usefixtures("one_thread")
def test_one_worker_equals_the_model_alone(clips, one):
    model, expected = observe_directly(clips)
    assert len(model.levels) == 3, "a test in which levels grow"
    assert model.learner is not None
    assert model.learner.steps > 1, "a test in which parameters change"
    run = check_run(one.folder)
    assert one.code == 0
    found = hierarchies(one.folder)
    assert {name: table(hierarchy) for name, hierarchy in found.items()} == {
        name: table(hierarchy) for name, hierarchy in expected.items()
    }
    assert run["parameters_crc32"] == checksum(model.levels)
    assert run["totals"] == {
        "snippets": sum(SECONDS.values()) * 2,
        "events": [
            sum(len(h.levels[level]) for h in expected.values() if level < h.num_levels) for level in range(3)
        ],
        "levels": 3,
        "optimizer_steps": model.learner.steps,
    }
    restored = checkpoint.load(final_checkpoint(one))
    assert checksum(restored.levels) == checksum(model.levels)


def test_run_json_and_signals(one):
    run = one.folder.read_run()
    assert (run["command"], run["seed"], run["config"]["model"]["feature_dim"]) == ("train", 3, 16)
    assert run["software"]["ray"]
    for name, seconds in SECONDS.items():
        signals = pq.read_table(one.folder.signals_of(name)).to_pylist()
        base = [row for row in signals if row["level"] == 0]
        assert 0 < len(base) < seconds * 2
        assert [row["snippet"] for row in base] == sorted({row["snippet"] for row in base})
        hierarchy = Hierarchy.from_parquet(one.folder.hierarchy_of(name))
        ended = [row["time_s"] for row in base if row["boundary"]]
        assert [time for time in ended if time > 0] == pytest.approx(hierarchy.boundaries(0))


def test_the_run_is_tracked_in_its_own_folder(one, clips):
    client, run = tracked(one.folder)
    assert one.folder.read_run()["mlflow"]["uri"] == f"sqlite:///{one.folder.root / 'mlflow.db'}"
    assert run.info.status == "FINISHED"
    assert run.data.params["model.feature_dim"] == "16"
    assert run.data.params["videos"] == "4"
    assert run.data.metrics["videos_done"] == 4
    history = client.get_metric_history(run.info.run_id, "videos_done")
    steps = [metric.step for metric in history]
    assert steps == sorted(steps)
    assert steps[-1] == sum(SECONDS.values()) * 2
    assert "signal/level0" in run.data.metrics
    assert run.inputs is not None
    assert {used.dataset.name for used in run.inputs.dataset_inputs} == {clips.name, "truth"}
    assert run.data.tags["streamer.command"] == "train"
    assert run.data.tags["streamer.dataset"] == clips.name
    found = artifacts(client, run)
    assert "videos.parquet" in found
    assert any(path.endswith(".png") for path in found)
    location = (one.folder.root / "mlartifacts").as_uri()
    assert str(run.info.artifact_uri).startswith(location)
    assert one.folder.evaluation.exists()


def test_the_model_is_tracked_with_its_scores(one):
    client, run = tracked(one.folder)
    assert run.outputs is not None
    [output] = run.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert str(model.status) == "READY"
    assert "0/hlr_iou" in {metric.key for metric in model.metrics or []}
    [logged] = (one.folder.root / "mlartifacts").rglob(CHECKPOINT_FILE)
    assert checksum(checkpoint.load(logged).levels) == one.folder.read_run()["parameters_crc32"]


def test_a_run_that_is_killed_while_it_is_scored_learns_nothing_again(tmp_path, command, monkeypatch):
    def killed(*_, **__):
        raise RuntimeError("killed")

    vectors = write_vectors(tmp_path / "a.npy", 40)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.train.conclude", killed)
        with pytest.raises(RuntimeError, match="killed"):
            command("train", vectors, *MODEL)
    hierarchy = tmp_path / "run" / "hierarchy" / "a.parquet"
    written = hierarchy.stat().st_mtime_ns
    again = command("train", vectors, *MODEL)
    assert again.code == 0
    check_run(again.folder)
    assert hierarchy.stat().st_mtime_ns == written
    assert [path.name for path in again.folder.checkpoints.iterdir() if path.is_dir()] == [FINAL_CHECKPOINT]


def test_the_same_seed_gives_the_same_run_and_only_own_lines(clips, one, command, store):
    again = command("train", clips, *SETTINGS)
    assert again.code == 0
    run = check_run(again.folder)
    assert {n: table(h) for n, h in hierarchies(again.folder).items()} == {
        n: table(h) for n, h in hierarchies(one.folder).items()
    }
    assert run["parameters_crc32"] == one.folder.read_run()["parameters_crc32"]
    assert run["mlflow"]["uri"] == store
    assert not (again.folder.root / "mlflow.db").exists()
    assert tracked(again.folder)[1].info.status == "FINISHED"
    own = (
        "4 readable inputs",
        "training: ",
        "4 done",
        "hierarchies ",
        "videos ",
        "figures ",
        "MLflow ",
        "look ",
    )
    assert [line for line in again.output.splitlines() if not line.startswith(own)] == []


def test_three_workers_for_three_damaged_and_whole_inputs(clips, damaged, command):
    # Two readable inputs: one of three workers never has a snippet.
    few = command("train", damaged, *SETTINGS, "--workers", 3, "--sync_every", 4)
    assert few.code == 1
    run = check_run(few.folder)
    assert statuses(few.folder) == {"good": "done", "cut": "done", "text": "failed", "sound": "skipped"}
    rows = {row["video_id"]: row for row in few.folder.read_videos()}
    assert rows["cut"]["reason"]
    assert rows["good"]["reason"] is None
    assert run["totals"]["snippets"] == rows["good"]["snippets"] + rows["cut"]["snippets"]
    assert "1 video failed" in few.output
    assert "Traceback" not in few.output


def test_two_workers_with_an_address_and_failures_allowed(clips, damaged, served, command):
    inputs = [clips / "a.mp4", f"{served}/b.mp4", damaged / "text.mp4", clips / "c.mp4"]
    run = command("train", *inputs, *SETTINGS, "--workers", 2, "--max-failed", 5, "--signals", "false")
    assert run.code == 0
    facts = check_run(run.folder)
    assert sorted(statuses(run.folder).values()) == ["done", "done", "done", "failed"]
    assert facts["totals"]["snippets"] == 2 * (SECONDS["a"] + SECONDS["b"] + SECONDS["c"])
    assert not run.folder.signals.exists()


def test_workers_that_average_parameters_over_vectors(tmp_path, command):
    folder = tmp_path / "vectors"
    folder.mkdir()
    for name, rows in {"long": 90, "short": 12, "single": 1}.items():
        write_vectors(folder / f"{name}.npy", rows, seed=rows)
    run = command("train", folder, *MODEL, "--workers", 2, "--sync", "parameters", "--sync_every", 5)
    assert run.code == 0
    facts = check_run(run.folder)
    assert facts["totals"]["snippets"] == 103
    assert facts["config"]["model"]["modality"] == "vectors"
    assert [len(level) for level in hierarchies(run.folder)["single"].levels] == [1] * hierarchies(
        run.folder
    )["single"].num_levels
    model = checkpoint.load(final_checkpoint(run))
    assert checksum(model.levels) == facts["parameters_crc32"]


def test_a_run_starts_from_the_parameters_of_another(clips, one, command):
    # So many losses between two steps that there is none: parameters end as they began.
    still = ["--model.learning.optimize_every", 100000]
    run = command("train", clips / "a.mp4", *SETTINGS, *still, "--init", one.folder.root)
    assert run.code == 0
    assert check_run(run.folder)["totals"]["optimizer_steps"] == 0
    mine, others = (checkpoint.read(final_checkpoint(each))["parameters"] for each in (run, one))
    assert len(mine) == len(others)
    unmoved = [name for name in mine if "pos_enc" not in name and "cls_token" not in name]
    assert unmoved
    assert all(torch.equal(mine[name], others[name]) for name in unmoved)
