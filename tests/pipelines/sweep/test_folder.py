"""What a sweep leaves in its folder, and which sweeps may go on there."""

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from pipelines.cli import main
from pipelines.run_folder import RunFolder
from pipelines.sweep.display import SweepDisplay, clock, render
from pipelines.sweep.folder import SweepFolder, asked, differences
from pipelines.sweep.plan import Plan, SweepError, read_plan
from pipelines.sweep.records import Record, failure, last_line, ranked
from tests.pipelines.finished_run import files_below
from tests.pipelines.sweep.files import SPACE, write_file

FACTS = {"mlflow": {"uri": "u", "run_id": "r"}, "started": "s", "config": {}}


def plan_of(folder: Path, **changes) -> Plan:
    return read_plan(str(write_file(folder, **changes)))


def write_sweep(plan: Plan) -> SweepFolder:
    """A sweep that has begun, by its own account."""
    folder = SweepFolder(plan.file.out)
    folder.create()
    folder.write("running", {**FACTS, "asked": asked(plan)}, [Record(trial) for trial in plan.trials], None)
    return folder


RANDOM = {"search": "random", "samples": 2}
ONE_MORE = {**SPACE, "model.learning.lr": [1e-4, 1e-3, 1e-2]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({}, {"metric": "clip/hlr_mof", "mode": "min", "concurrent": 3, "max_failed": 1}),
        (RANDOM, {**RANDOM, "samples": 3}),
        ({}, {"space": ONE_MORE}),
        (
            {},
            {
                "train": {
                    "recipe": "release",
                    "inputs": ["videos"],
                    "model": {"feature_dim": 16},
                    "workers": 2,
                }
            },
        ),
    ],
)
def test_a_sweep_goes_on_with_the_same_trials_or_more(tmp_path, monkeypatch, before, after):
    monkeypatch.chdir(tmp_path)
    folder = write_sweep(plan_of(tmp_path, **before))
    facts = folder.earlier(plan_of(tmp_path, **after), fresh=False)
    assert facts is not None
    assert facts["mlflow"] == FACTS["mlflow"]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            {},
            {"space": {**SPACE, "model.demarcation.modifier": [0.8, 1.3]}},
            "model.demarcation.modifier of trial 2 was 1.2, is 1.3",
        ),
        ({"space": ONE_MORE}, {}, "it had 6 trials, the file asks for 4"),
        (RANDOM, {**RANDOM, "samples": 1}, "it had 2 trials, the file asks for 1"),
        (RANDOM, {**RANDOM, "seed": 1}, "of trial 1 was"),
        ({}, {"space": {"seed": [1, 2, 3, 4]}}, "seed of trial 1 was not there, is 1"),
        (
            {},
            {"train": {"recipe": "release", "inputs": ["videos"]}},
            "train.model.feature_dim was 16, is not there",
        ),
        (
            {},
            {
                "train": {
                    "recipe": "release",
                    "inputs": ["videos"],
                    "model": {"feature_dim": 16},
                    "truth": "other.csv",
                }
            },
            "train.truth was not there, is '",
        ),
    ],
)
def test_a_sweep_with_other_trials_is_refused(tmp_path, monkeypatch, capsys, before, after, message):
    monkeypatch.chdir(tmp_path)
    folder = write_sweep(plan_of(tmp_path, **before))
    written = files_below(folder.root)
    assert main(["sweep", str(write_file(tmp_path, **after))]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {folder.root}: holds a sweep with other trials: ")
    assert message in error
    assert error.count("\n") == 1
    assert written.items() <= files_below(folder.root).items()


def test_differences_name_the_first_trial_that_differs(tmp_path):
    before = {"train": {}, "trials": [{"seed": 1}, {"seed": 2}, {"seed": 3}]}
    after = {"train": {}, "trials": [{"seed": 1}, {"seed": 5}, {"seed": 6}]}
    assert differences(before, after) == ["seed of trial 2 was 2, is 5"]


def test_folders_of_something_else_are_refused(tmp_path):
    plan = plan_of(tmp_path)
    folder = SweepFolder(plan.file.out)
    folder.root.mkdir()
    (folder.root / "notes.txt").write_text("mine")
    assert folder.earlier(plan, fresh=False) is None

    folder.trials.mkdir()
    for fresh in (False, True):
        with pytest.raises(SweepError, match=r"holds trials/, but no sweep.json"):
            folder.earlier(plan, fresh=fresh)
    folder.state.write_text("{}")
    with pytest.raises(SweepError, match="does not describe a sweep"):
        folder.earlier(plan, fresh=True)
    folder.state.write_text("{")
    with pytest.raises(SweepError, match="is not JSON"):
        folder.earlier(plan, fresh=False)
    RunFolder(folder.root).write_run("finished", {})
    with pytest.raises(SweepError, match="holds a run, not a sweep"):
        folder.earlier(plan, fresh=True)


def test_clearing_leaves_what_is_not_the_sweeps(tmp_path):
    plan = plan_of(tmp_path)
    folder = write_sweep(plan)
    plan.trials[0].folder.create()
    (folder.root / "notes.txt").write_text("mine")
    assert folder.earlier(plan, fresh=True) is None
    folder.clear()
    assert [path.name for path in folder.root.iterdir()] == ["notes.txt"]


def test_the_table_has_a_row_per_trial_and_a_column_per_option_and_score(tmp_path):
    space = {"model.learning.lr": [1e-3, 1e-2], "model.demarcation": [{"mode": "fixed", "threshold": 1.0}]}
    plan = plan_of(tmp_path, space=space)
    records = [Record(trial) for trial in plan.trials]
    records[0].state, records[0].value, records[0].metrics = "finished", 0.5, {"scene/hlr_iou": 0.5}
    records[1].state, records[1].reason = "failed", "broken"
    folder = write_sweep(plan)
    folder.write("finished", {"asked": {}}, records, records[0])
    first, second = pq.read_table(folder.table).to_pylist()
    assert first == {
        "trial": 1,
        "name": plan.trials[0].name,
        "state": "finished",
        "reason": None,
        "value": 0.5,
        "duration_s": 0.0,
        "folder": str(plan.trials[0].folder.root),
        "run_id": None,
        "model.learning.lr": 1e-3,
        "model.demarcation": json.dumps(
            {"model.demarcation.mode": "fixed", "model.demarcation.threshold": 1.0}
        ),
        "scene/hlr_iou": 0.5,
    }
    assert (second["state"], second["reason"], second["scene/hlr_iou"]) == ("failed", "broken", None)
    content = json.loads(folder.state.read_text())
    assert content["best"] == plan.trials[0].name
    assert [trial["settings"]["model.learning.lr"] for trial in content["trials"]] == [1e-3, 1e-2]


def rated(folder: Path, *values: float | None) -> tuple[Plan, list[Record]]:
    plan = plan_of(folder, space={"seed": list(range(len(values)))})
    return plan, [
        Record(trial, "pending" if value is None else "finished", value=value)
        for trial, value in zip(plan.trials, values, strict=True)
    ]


@pytest.mark.parametrize(("mode", "order"), [("max", [2, 4, 1]), ("min", [1, 2, 4])])
def test_the_best_comes_first_and_of_equals_the_earlier(tmp_path, mode, order):
    _, records = rated(tmp_path, 0.1, 0.3, None, 0.3)
    assert [record.trial.number for record in ranked(records, mode)] == order


def test_a_table_shows_the_best_then_what_runs_then_what_failed(tmp_path):
    plan, records = rated(tmp_path, 0.1, 0.3, None, None, None)
    records[0].duration_s = 75
    records[2].state, records[2].reason = "failed", "[red]broken[/red]"
    records[3].state = "running"
    records[3].trial.folder.create()
    records[3].log.write_text("earlier\ntraining: 3/7 videos\n")
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(render(records, plan))
    lines = [line.split() for line in console.export_text().splitlines() if line.strip()]
    assert lines[0] == ["5", "trials:", "2", "finished,", "1", "failed,", "1", "running,", "1", "pending"]
    assert lines[1] == ["trial", "seed", "scene/hlr_iou", "time"]
    assert lines[3:] == [
        ["2", "1", "0.3000", "best"],
        ["1", "0", "0.1000", "1:15"],
        ["4", "3", "3/7", "videos"],
        ["3", "2", "[red]broken[/red]"],
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_the_table_is_live_on_a_terminal_and_lines_stay(tmp_path, terminal):
    plan, records = rated(tmp_path, 0.25, None)
    shown = io.StringIO()
    with SweepDisplay(Console(file=shown, force_terminal=terminal, width=100), plan) as display:
        display.show(records)
        display.tell(records[1].trial, "failed: [bold]x[/bold]")
    assert ("0.2500" in shown.getvalue()) == terminal
    assert "trial 2 of 2, seed=1: failed: [bold]x[/bold]\n" in shown.getvalue()


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.4, "0:00"), (59.6, "1:00"), (3599, "59:59"), (7262, "2:01:02")]
)
def test_clock(seconds, told):
    assert clock(seconds) == told


def test_why_a_training_failed_is_what_it_said_last(tmp_path):
    _, [record] = rated(tmp_path, None)
    assert failure(record, 1) == "its process ended with 1"
    record.trial.folder.create()
    record.log.write_text("error: of an earlier start\n")
    record.logged = record.log.stat().st_size
    assert failure(record, 1) == "its process ended with 1"
    with record.log.open("a") as log:
        log.write("Traceback\n  File\nKeyError: 'x'\n\n")
    assert failure(record, 1) == "KeyError: 'x'"
    with record.log.open("a") as log:
        log.write("error: a.mp4: broken: mend it\nexit\n")
    assert failure(record, 2) == "a.mp4: broken: mend it"
    assert failure(record, -9) == "its process was ended by signal 9"


def test_the_last_line_of_a_long_log(tmp_path):
    log = tmp_path / "train.log"
    assert last_line(log, 0) == ""
    log.write_text("x" * 10_000 + "\nthe end\n   \n")
    assert last_line(log, 0) == "the end"
    assert last_line(log, log.stat().st_size) == ""
