"""The `cut` command: a run at other timescales, from its trees alone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.catalog import CatalogEntry
from pipelines.catalog_table import write_catalog
from pipelines.cli import main
from pipelines.run_folder import RunFolder, VideoRow
from pipelines.store import REASON, HierarchyStore
from streamer.hierarchy import Event, Hierarchy
from streamer.merged_levels import with_merged_levels
from tests.pipelines.finished_run import files_below, write_truth
from tests.pipelines.runs import check_run, hierarchies, statuses
from tests.streamer.tiny import tiny

MERGED = tiny(evolve_every=100_000, upper_levels="merged")


def merged(video_id: str, events: int, seed: int) -> Hierarchy:
    """Events of two seconds, in scenes of five."""
    random = np.random.default_rng(seed)
    means = random.normal(0, 5, (events // 5 + 1, 8)).repeat(5, axis=0)[:events]
    level = [
        Event(2.0 * k, 2.0 * k + 2.0, 0.5, 0.5, (mean + random.normal(0, 0.1, 8)).astype(np.float32))
        for k, mean in enumerate(means)
    ]
    return with_merged_levels(Hierarchy(video_id, 2.0 * events, 0.5, [level], 4 * events), MERGED)


def make_run(root: Path) -> RunFolder:
    """A run of three videos, of which one has failed."""
    folder = RunFolder(root)
    folder.create()
    entries = [CatalogEntry(name, uri=f"/data/{name}.mp4", kind="video") for name in ("a", "b/c", "bad")]
    write_catalog(folder.catalog, entries)
    store = HierarchyStore(folder, {"streamer.model": "train:1"}, signals=False)
    rows = []
    for seed, (entry, events) in enumerate(zip(entries[:2], (60, 30), strict=True)):
        hierarchy = merged(entry.video_id, events, seed)
        reason = "ends early" if seed else None
        store.write(hierarchy, (), reason)
        rows.append(VideoRow(entry, "done", reason, hierarchy.duration_s, hierarchy.snippets))
    rows.append(VideoRow(entries[2], "failed", "broken", 7.0, 3))
    folder.write_videos(rows)
    folder.write_run("finished", {"command": "train", "config": {"inputs": ["/data"], "model": {}}})
    return folder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "source")


def test_a_run_as_any_other_at_the_timescales_that_are_asked_for(run, command):
    before = files_below(run.root)
    done = command("cut", run.root, "--every", "10s", "1m", "--max_failed", 1)
    assert done.code == 0, done.output
    assert files_below(run.root) == before
    facts = check_run(done.folder)
    assert (facts["command"], facts["predictor"]) == ("cut", "cut")
    assert facts["config"]["every"] == [10.0, 60.0]
    assert facts["totals"] == {"snippets": 360, "events": [18, 3], "levels": 2}
    assert "10s asked for: 18 events, 10.0 s in the mean" in done.output
    found = hierarchies(done.folder)
    assert [len(level) for level in found["a"].levels] == [12, 2]
    assert found["a"].boundaries(0).tolist() == [10.0 * scene for scene in range(1, 12)]
    assert found["b/c"].metadata[REASON] == "ends early"
    assert json.loads(found["a"].metadata["streamer.config"])["run"] == str(run.root)
    assert statuses(done.folder) == {"a": "done", "b/c": "done", "bad": "failed"}
    assert done.folder.read_videos()[2]["reason"] == "broken"
    assert not done.folder.trees.exists()


def test_a_video_that_failed_counts(run, command):
    done = command("cut", run.root, "--every", "10s")
    assert done.code == 1
    assert "1 video failed; --max-failed allows 0" in done.output


def test_no_event_is_shorter_than_the_finest(run, command):
    done = command("cut", run.root, "--every", "0.5,20", "--max_failed", 1)
    found = hierarchies(done.folder)["a"]
    assert len(found.levels[0]) == 60
    assert 5 <= len(found.levels[1]) <= 8
    source = Hierarchy.from_parquet(run.hierarchy_of("a"))
    assert found.segments(0) == source.segments(0)
    for one, other in zip(found.levels[0], source.levels[0], strict=True):
        np.testing.assert_array_equal(one.representation, other.representation)


def test_it_is_scored_and_shown_as_others_are(run, command, tmp_path, capfd):
    truth = write_truth(tmp_path / "truth.csv", *(f"a,scene,{10 * k},{10 * k + 10},x" for k in range(12)))
    done = command("cut", run.root, "--every", "10s", "60s", "--truth", truth, "--max_failed", 1)
    assert done.code == 0, done.output
    scores = pq.read_table(done.folder.evaluation).to_pylist()
    [f1] = [
        row["value"]
        for row in scores
        if (row["predictor"], row["level"], row["metric"], row["video_id"])
        == ("cut", 0, "boundary_f1@0.5s", "a")
    ]
    assert f1 == 1.0
    assert main(["report", str(done.folder.root), "--out", str(tmp_path / "report")]) == 0
    assert main(["export", str(done.folder.root), "--format", "csv", "--out", str(tmp_path / "exports")]) == 0
    capfd.readouterr()


def test_the_same_command_again_changes_nothing(run, command):
    words = ["cut", run.root, "--every", "10s", "--max_failed", 1]
    first = files_below(command(*words).folder.hierarchy)
    again = command(*words)
    assert "this run finished at" in again.output
    assert files_below(again.folder.hierarchy) == first


def test_one_that_was_killed_is_done_again(run, command):
    words = ["cut", run.root, "--every", "10s", "--max_failed", 1]
    done = command(*words)
    facts = done.folder.read_run()
    done.folder.hierarchy_of("a").unlink()
    done.folder.write_run("running", {key: value for key, value in facts.items() if key != "state"})
    again = command(*words)
    assert again.code == 0, again.output
    assert set(hierarchies(again.folder)) == {"a", "b/c"}


def test_other_timescales_need_another_folder_or_a_fresh_start(run, command):
    command("cut", run.root, "--every", "10s", "--max_failed", 1)
    refused = command("cut", run.root, "--every", "20s", "--max_failed", 1)
    assert refused.code == 2
    assert "every was [10.0], is [20.0]" in refused.output
    done = command("cut", run.root, "--every", "20s", "--max_failed", 1, "--fresh")
    assert done.code == 0, done.output
    assert done.folder.read_run()["config"]["every"] == [20.0]
    assert 5 <= len(hierarchies(done.folder)["a"].levels[0]) <= 8


def test_a_run_that_goes_on_is_cut_as_far_as_it_has_come(run, command):
    os.remove(run.videos)
    run.write_run("running", {"command": "train", "config": {"inputs": ["/data"]}})
    done = command("cut", run.root, "--every", "10s")
    assert done.code == 0, done.output
    assert statuses(done.folder) == {"a": "done", "b/c": "done", "bad": "skipped"}


def test_a_run_that_has_gone_on_is_cut_again(run, command):
    late = run.hierarchy_of("a").read_bytes()
    run.hierarchy_of("a").unlink()
    os.remove(run.videos)
    run.write_run("running", {"command": "train", "config": {"inputs": ["/data"]}})
    first = command("cut", run.root, "--every", "10s")
    assert statuses(first.folder) == {"a": "skipped", "b/c": "done", "bad": "skipped"}
    run.hierarchy_of("a").write_bytes(late)
    again = command("cut", run.root, "--every", "10s")
    assert again.code == 0, again.output
    assert statuses(again.folder) == {"a": "done", "b/c": "done", "bad": "skipped"}
    assert set(hierarchies(again.folder)) == {"a", "b/c"}
    assert "this run finished at" in command("cut", run.root, "--every", "10s").output


@pytest.mark.parametrize("damage", ["missing", "damaged", "of another video"])
def test_a_tree_that_cannot_be_used_costs_its_video_alone(run, command, damage):
    tree = run.tree_of("a")
    if damage == "missing":
        tree.unlink()
    elif damage == "damaged":
        tree.write_bytes(tree.read_bytes()[:200])
    else:
        shutil.copy(run.tree_of("b/c"), tree)
    done = command("cut", run.root, "--every", "10s", "--max_failed", 2)
    assert done.code == 0, done.output
    assert statuses(done.folder) == {"a": "failed", "b/c": "done", "bad": "failed"}
    assert str(tree) in done.folder.read_videos()[0]["reason"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--every", "30 parsecs"], "is no length of time"),
        (["--every", "60s", "30s"], "in ascending order"),
        (["--every", "-5"], "is no length of time"),
    ],
)
def test_times_that_are_none_are_refused(run, command, words, message):
    refused = command("cut", run.root, *words)
    assert refused.code == 2
    assert message in refused.output
    assert not refused.folder.root.exists()


def test_runs_without_trees_are_refused(run, command, tmp_path):
    shutil.rmtree(run.trees)
    refused = command("cut", run.root, "--every", "10s")
    assert refused.code == 2
    assert "holds no trees" in refused.output
    refused = command("cut", tmp_path / "nowhere", "--every", "10s")
    assert "holds no run.json" in refused.output
    assert not refused.folder.root.exists()


def test_a_cut_is_not_cut_again(run, command):
    once = command("cut", run.root, "--every", "10s", "--max_failed", 1)
    refused = command("cut", once.folder.root, "--every", "30s", out="other")
    assert refused.code == 2
    assert f"was itself cut, and holds no trees: cut {run.root}" in refused.output


def test_a_run_is_not_cut_into_itself(run, command, tmp_path):
    refused = command("cut", run.root, "--every", "10s", out="source")
    assert refused.code == 2
    assert "is the run that is cut" in refused.output
