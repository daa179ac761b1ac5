"""Which runs are compared, what they are called, and what is refused."""

from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.comparison.config import CompareConfig
from pipelines.comparison.runs import ComparisonError, distinct_labels, open_runs
from streamer.errors import ConfigError
from tests.pipelines.comparison.scored_runs import QUIET, opened, simple_run
from tests.pipelines.finished_run import files_below


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["/a/x", "/a/y"], ["x", "y"]),
        (["/a/run", "/b/run"], ["a/run", "b/run"]),
        (["/a/run", "/b/run", "/c/other"], ["a/run", "b/run", "other"]),
        (["/run", "/b/run"], ["//run", "b/run"]),
    ],
)
def test_a_label_is_as_long_as_it_takes(paths, labels):
    assert distinct_labels([Path(path) for path in paths]) == labels


def test_the_reference_comes_first(tmp_path):
    folders = [simple_run(tmp_path / name, seed) for seed, name in enumerate("abc")]
    paths = [str(folder.root) for folder in folders]
    for reference in (paths[1], "b"):
        runs = open_runs(paths, truth=None, reference=reference, seed=0, console=QUIET)
        assert [run.label for run in runs] == ["b", "a", "c"]
    assert [run.label for run in opened(*folders)] == ["a", "b", "c"]


def test_a_run_knows_its_predictor(tmp_path):
    runs = opened(simple_run(tmp_path / "a", 0), simple_run(tmp_path / "b", 1, predictor="novelty"))
    assert [run.predictor for run in runs] == ["streamer", "novelty"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"runs": ["a"]}, "only one run is named"),
        ({"runs": ["a", "b"], "out": ""}, "--out is empty"),
        ({"runs": ["a", "b"], "seed": -1}, "--seed must not be negative"),
        ({"runs": ["a", "b"], "metrics": ["x", "y", "x"]}, "--metrics names x more than once"),
    ],
)
def test_what_makes_no_sense_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        CompareConfig(**values)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "a"], "a: is given twice: name each run once"),
        (["a", "link"], "a: is given twice"),
        (["a", "absent"], "absent: holds no run.json: give the folder of a run"),
        (["a", "unscored"], "has no scores (evaluation.parquet): give --truth FILE to score all runs now"),
        (
            ["a", "b", "--reference", "c"],
            "--reference c: is none of the runs that are compared: give one of a, b",
        ),
        (["a", "b", "--truth", "none.csv"], "none.csv: no such truth file"),
        (
            ["a", "b", "--metrics", "[hlr_iuo]"],
            "--metrics hlr_iuo: not among the scores (did you mean hlr_iou?)",
        ),
        (["a", "other"], "no video and annotated level has scores in all runs"),
        (["a", "b", "--out", "a/run.json"], "run.json: cannot be made"),
        (["a", "b", "--tracking_uri", "nonsense://x"], "nonsense://x: MLflow cannot be used"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(tmp_path, monkeypatch, capsys, store, words, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    simple_run(tmp_path / "a", 0)
    simple_run(tmp_path / "b", 1)
    simple_run(tmp_path / "other", 2, videos=["else"])
    simple_run(tmp_path / "unscored", 3).evaluation.unlink()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    before = files_below(tmp_path)
    assert main(["compare", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert files_below(tmp_path) == before


def test_a_damaged_file_of_scores_is_named(tmp_path):
    folders = [simple_run(tmp_path / name, 0) for name in "ab"]
    folders[1].evaluation.write_bytes(b"noise")
    with pytest.raises(ValueError, match=r"b/evaluation\.parquet: cannot be read"):
        opened(*folders)


def test_comparison_errors_are_users_errors():
    assert issubclass(ComparisonError, ValueError)
