"""The end of a run: every input in one state, the exit code, and what the terminal says."""

import json
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from rich.console import Console

from pipelines.annotations import read_truth
from pipelines.closing import INTERRUPTED, conclude, video_rows
from pipelines.evaluation.scores import scored_truth
from pipelines.library import finished_videos
from pipelines.run_folder import RunFolder, RunState, end_row, unread_row
from pipelines.snippets import VideoEnd
from pipelines.store import HierarchyStore
from pipelines.tracking import Tracker
from tests.pipelines.finished_run import DURATION_S, entry, make_hierarchy, make_run, write_truth

DONE = VideoEnd("a", 40, DURATION_S, "done", None)
BROKEN = VideoEnd("b", 3, 1.5, "failed", "breaks")


@pytest.fixture
def tracker():
    fake = create_autospec(Tracker, instance=True)
    fake.directions = "mlflow ui"
    return fake


def close(folder: RunFolder, rows, tracker, *, state: RunState = "finished", truth=None, max_failed=0):
    """Concludes a run.

    Returns:
        The exit code and what was printed.
    """
    console = Console(width=110)
    with console.capture() as capture:
        code = conclude(
            state,
            folder=folder,
            facts={"seed": 5},
            rows=rows,
            truth=truth,
            seed=0,
            max_failed=max_failed,
            tracker=tracker,
            console=console,
        )
    return code, capture.get()


def test_every_input_has_one_row(tmp_path):
    entries = [entry("a"), entry("b"), entry("c"), entry("noise", status="failed", reason="no video")]
    rows = video_rows(entries, [BROKEN, DONE], RunFolder(tmp_path))
    assert [(row.entry.video_id, row.status) for row in rows] == [
        ("a", "done"),
        ("b", "failed"),
        ("c", "skipped"),
        ("noise", "failed"),
    ]
    assert rows[2].reason == "the run ended before this video did"


def test_what_was_odd_about_a_video_is_known_from_its_hierarchy(tmp_path):
    """A driver that is killed takes with it what its workers had told."""
    folder = RunFolder(tmp_path)
    store = HierarchyStore(folder, {}, signals=False)
    store.write(make_hierarchy("a"), [], "ends early")
    store.write(make_hierarchy("b"), [])
    rows = video_rows([entry("a"), entry("b")], [], folder)
    assert [(row.status, row.reason) for row in rows] == [("done", "ends early"), ("done", None)]
    [a, b] = finished_videos(folder, [entry("a"), entry("b"), entry("c")])
    assert (a.end.reason, b.end.reason) == ("ends early", None)
    store.discard("a")
    assert [found.end.video_id for found in finished_videos(folder, [entry("a"), entry("b")])] == ["b"]


def test_stored_hierarchy_counts_though_its_end_was_not_reported(tmp_path):
    folder = make_run(tmp_path, ["a"])
    [row] = video_rows([entry("a", duration_s=None)], [], folder)
    assert (row.status, row.reason, row.duration_s, row.snippets) == ("done", None, DURATION_S, 40)


def test_finished_run(tmp_path, tracker):
    folder = make_run(tmp_path, ["a"])
    code, text = close(folder, [end_row(entry("a"), DONE)], tracker)
    assert code == 0
    assert [row["status"] for row in folder.read_videos()] == ["done"]
    run = folder.read_run()
    assert (run["state"], run["seed"], run["videos"]) == (
        "finished",
        5,
        {"done": 1, "failed": 0, "skipped": 0},
    )
    assert "1 done  0 failed  0 skipped" in text
    assert str(folder.hierarchy) in text
    assert "mlflow ui" in text
    assert {path.name for path in folder.figures.iterdir()} == {"a.signal.png", "a.timeline.png"}
    tracker.close.assert_called_once_with()
    logged = [Path(call.args[0]).name for call in tracker.log_artifact.call_args_list]
    assert logged == ["videos.parquet", "a.timeline.png", "a.signal.png"]


@pytest.mark.parametrize(("max_failed", "expected"), [(0, 1), (1, 1), (2, 0)])
def test_failed_videos_beyond_those_allowed_are_exit_code_1(tmp_path, tracker, max_failed, expected):
    folder = make_run(tmp_path, ["a"])
    rows = [end_row(entry("a"), DONE), end_row(entry("b"), BROKEN), unread_row(entry("c", status="failed"))]
    code, text = close(folder, rows, tracker, max_failed=max_failed)
    assert code == expected
    assert "failed: b: breaks" in text
    assert ("2 videos failed" in text) is bool(expected)


def test_scores_beside_the_floors(tmp_path, tracker):
    folder = make_run(tmp_path / "run", ["a"])
    truth = read_truth(write_truth(tmp_path / "truth.csv", "a,scene,0,6,s", "a,scene,6,20,s"))
    code, text = close(folder, [end_row(entry("a"), DONE)], tracker, truth=truth)
    assert scored_truth(folder) == tmp_path / "truth.csv"
    assert code == 0
    assert "random_nested" in text
    assert str(folder.evaluation) in text
    [metrics] = [call.args[0] for call in tracker.log_metrics.call_args_list]
    assert metrics["scene/level0/boundary_recall_at_0.5s"] == 1


def test_annotations_of_failed_videos_alone_do_not_fail_the_run(tmp_path, tracker):
    folder = make_run(tmp_path / "run[/x]", ["a"], ["b"])
    truth = read_truth(write_truth(tmp_path / "truth.csv", "b,scene,0,6,s"))
    rows = [end_row(entry("a"), DONE), end_row(entry("b"), BROKEN)]
    code, text = close(folder, rows, tracker, truth=truth, max_failed=1)
    assert code == 0
    assert "not scored: " in text
    assert str(folder.root) in text
    tracker.close.assert_called_once_with()


def test_interrupted_run_tells_what_is_there(tmp_path, tracker):
    folder = make_run(tmp_path / "run[/x]", ["a"])
    rows = video_rows([entry("a"), entry("b")], [], folder)
    code, text = close(folder, rows, tracker, state="interrupted")
    assert code == INTERRUPTED
    assert f"interrupted; 1 finished video in {folder.hierarchy}" in text
    assert json.loads(folder.run_json.read_text())["state"] == "interrupted"
    assert [row["status"] for row in folder.read_videos()] == ["done", "skipped"]
    tracker.close.assert_called_once_with("KILLED")


def test_names_from_outside_are_printed_as_they_are(tmp_path, tracker):
    folder = make_run(tmp_path, ["a"])
    rows = [end_row(entry("[bold]x[/y]"), VideoEnd("[bold]x[/y]", 0, 0.0, "failed", "[/z]"))]
    _, text = close(folder, rows * 10, tracker)
    assert "failed: [bold]x[/y]: [/z]" in text
    assert "and 2 more with a reason in videos.parquet" in text
