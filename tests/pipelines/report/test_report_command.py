"""The command: what it writes, what it leaves alone, what it refuses."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from pipelines.annotations import Truth
from pipelines.cli import main
from pipelines.evaluation import scores as evaluation
from pipelines.report.runs import read_runs
from pipelines.report.video_data import playable, truth_data
from pipelines.run_folder import RunFolder
from streamer.atomic import file_name
from tests.pipelines.finished_run import files_below, write_truth
from tests.pipelines.report.material import entry, make_run, write_scores

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run with two videos, one of them below a folder, and one that failed."""
    failed = entry("c", 0.0, status="failed", reason="broken")
    return make_run(tmp_path / "run", [entry("a"), entry("x/b", 10), failed])


def data(report: Path, name: str) -> Any:
    """What a script of the report hands over."""
    text = (report / "data" / f"{name}.js").read_text()
    return json.loads(f"[{text[len('report.receive(') : -len(');') - 1]}]")[1]


def refusal(capfd: Capture, *words: object) -> str:
    assert main(["report", *map(str, words)]) == 2
    line = capfd.readouterr().err
    assert line.startswith("error: ")
    assert line.count("\n") == 1
    return line


def test_a_report_holds_pages_and_a_file_per_video(run: RunFolder, capfd: Capture) -> None:
    assert main(["report", str(run.root)]) == 0
    report = run.root / "report"
    assert f"report  {report / 'index.html'}" in capfd.readouterr().out
    assets = {file.name for file in (files("pipelines.report") / "assets").iterdir()}
    assert {path.name for path in (report / "assets").iterdir()} == assets - {"index.html", "video.html"}
    library = data(report, "library")
    assert [video["id"] for video in library["videos"]] == ["a", "c", "x/b"]
    assert library["videos"][1]["runs"] == [{"status": "failed", "reason": "broken", "events": None}]
    video = data(report, f"videos/{file_name('x/b')}")
    assert (video["id"], video["duration"], video["address"]) == ("x/b", 10, None)
    (levels,) = [one["levels"] for one in video["runs"]]
    assert [len(level["starts"]) for level in levels] == [10, 3, 1]
    signal = levels[0]["signal"]
    assert signal["name"] == "similarity"
    assert len(signal["values"]) == len(signal["limits"]) == 19


def test_the_same_command_again_keeps_thumbnails_and_removes_what_is_no_more(
    tmp_path: Path, run: RunFolder
) -> None:
    assert main(["report", str(run.root)]) == 0
    before = set(files_below(run.root / "report"))
    smaller = make_run(tmp_path / "smaller", [entry("a")])
    assert main(["report", str(smaller.root), "--out", str(run.root / "report")]) == 0
    gone = before - set(files_below(run.root / "report"))
    assert gone == {f"data/{kind}{file_name('x/b')}.js" for kind in ("videos/", "neighbours/0-")}


def test_a_folder_that_is_no_report_is_left_alone(tmp_path: Path, run: RunFolder, capfd: Capture) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("mine")
    assert "holds something that is no report" in refusal(capfd, run.root, "--out", tmp_path / "mine")
    assert "cannot be made" in refusal(capfd, run.root, "--out", tmp_path / "mine" / "index.html" / "x")
    assert files_below(tmp_path / "mine") == {"index.html": b"mine"}


def test_wrong_words_are_refused_in_one_line(tmp_path: Path, run: RunFolder, capfd: Capture) -> None:
    assert "holds no run.json" in refusal(capfd, tmp_path)
    assert "was named twice" in refusal(capfd, run.root, run.root)
    assert "not 3" in refusal(capfd, run.root, tmp_path, tmp_path / "x")
    truth = write_truth(tmp_path / "truth.csv", "nobody,clip,0,1,x")
    assert "1 of 1 video_ids are unknown" in refusal(capfd, run.root, "--truth", truth)
    assert "gone.csv: no such truth file" in refusal(capfd, run.root, "--truth", tmp_path / "gone.csv")
    assert not (run.root / "report").exists()


def test_annotations_of_the_run_are_found_and_may_be_gone(tmp_path: Path, capfd: Capture) -> None:
    (tmp_path / "in").mkdir()
    truth = write_truth(tmp_path / "in" / "truth.csv", "a,clip,0,4,x")
    beside = make_run(tmp_path / "beside", [entry("a")], facts={"config": {"inputs": [str(tmp_path / "in")]}})
    named = make_run(tmp_path / "named", [entry("a")], facts={"config": {"truth": str(truth)}})
    for folder in (beside, named):
        assert main(["report", str(folder.root)]) == 0
        assert data(folder.root / "report", "videos/a")["truth"][0]["labels"] == ["x"]
    (tmp_path / "in" / "truth.csv").unlink()
    capfd.readouterr()
    assert main(["report", str(named.root)]) == 0
    assert "no annotations are shown" in capfd.readouterr().out
    assert data(named.root / "report", "videos/a")["truth"] == []


def test_annotations_that_were_scored_against_come_before_others(tmp_path: Path, capfd: Capture) -> None:
    names = ("scored", "configured", "beside")
    (tmp_path / "in").mkdir()
    places = {name: tmp_path / f"{name}.csv" for name in names} | {"beside": tmp_path / "in" / "truth.csv"}
    for name, place in places.items():
        write_truth(place, f"a,clip,0,4,{name}")
    config = {"truth": str(places["configured"]), "inputs": [str(tmp_path / "in")]}
    run = make_run(tmp_path / "run", [entry("a")], facts={"config": config})

    def shown() -> list[str]:
        assert main(["report", str(run.root)]) == 0
        return [name for level in data(run.root / "report", "videos/a")["truth"] for name in level["labels"]]

    assert shown() == ["configured"]
    evaluation.write_scores([], run, places["scored"])
    assert shown() == ["scored"]
    write_scores(run, ["a"])
    assert shown() == ["configured"], "as before where the scores do not tell"
    evaluation.write_scores([], run, tmp_path / "gone.csv")
    assert shown() == [], "others than those that were scored against would mislead"
    assert "no annotations are shown" in capfd.readouterr().out


def test_a_damaged_hierarchy_costs_its_video_alone(run: RunFolder, capfd: Capture) -> None:
    run.hierarchy_of("a").write_bytes(b"damaged")
    assert main(["report", str(run.root)]) == 0
    assert "not a readable Parquet file" in capfd.readouterr().out
    rows = {video["id"]: video for video in data(run.root / "report", "library")["videos"]}
    assert "file" not in rows["a"]
    assert rows["x/b"]["file"] == file_name("x/b")


def test_a_run_of_another_predictor_needs_no_model_and_no_signals(tmp_path: Path) -> None:
    facts = {"command": "baseline", "predictor": "uniform", "config": {}}
    run = make_run(tmp_path / "run", [entry("a")], facts=facts)
    run.signals_of("a").unlink()
    write_scores(run, ["a"], predictor="uniform")
    assert main(["report", str(run.root)]) == 0
    assert data(run.root / "report", "videos/a")["runs"][0]["levels"][0]["signal"] is None
    library = data(run.root / "report", "library")
    assert library["videos"][0]["scores"][0][0] == [0.2]
    assert {row["predictor"]: row["own"] for row in library["summary"]} == {
        "uniform": True,
        "dyadic_grid": False,
    }


def test_two_runs_are_named_by_what_tells_them_apart(tmp_path: Path) -> None:
    roots = [tmp_path / one / two / "run" for one, two in (("x", "same"), ("y", "same"))]
    for root in roots:
        make_run(root, [entry("a")])
    assert [run.name for run in read_runs([str(root) for root in roots])] == ["x/same/run", "y/same/run"]
    assert [run.name for run in read_runs([str(roots[0])])] == ["same/run"]


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("javascript:alert(1)", "video"),
        ("data:text/html,x", "video"),
        ("s3://a/b.mp4", "video"),
        ("/a.npy", "vectors"),
    ],
)
def test_only_files_and_web_addresses_are_handed_to_the_browser(uri: str, kind: str) -> None:
    assert playable(uri, kind)[0] is None


def test_addresses_of_files_survive_odd_names(tmp_path: Path) -> None:
    path = tmp_path / "100% #?&'\" ü.mp4"
    path.touch()
    assert playable(str(path), "video")[0] == path.as_uri()
    assert playable("https://example.org/a.mp4", "video")[0] == "https://example.org/a.mp4"


def test_annotations_that_overlap_lie_in_rows_of_their_own() -> None:
    levels = {"clip": [(0.0, 4.0, "a"), (3.0, 6.0, "b"), (6.0, 99.0, "a")], "scene": [(0.0, 10.0, "s")]}
    truth = Truth(Path("truth.csv"), {"v": levels}, background=frozenset({"b"}))
    coarse, fine = truth_data(truth, "v", 10.0)
    assert coarse == {
        "name": "scene",
        "rows": 1,
        "labels": ["s"],
        "background": [],
        "events": [0, 10000, 0, 0],
    }
    assert fine["background"] == [1]
    assert truth_data(truth, "w", 10.0) == []
    assert fine["rows"] == 2
    assert fine["labels"] == ["a", "b"]
    assert fine["events"] == [0, 4000, 0, 0, 3000, 6000, 1, 1, 6000, 10000, 0, 0]
