"""Scores for the library: the figures that `streamer evaluate` prints, from files of any version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from pipelines.annotations import read_truth
from pipelines.evaluation.run import evaluate_run, show
from pipelines.evaluation.scores import write_scores
from pipelines.report.runs import read_runs
from pipelines.report.scores import HEADLINES, ScoreTable, read_scores
from pipelines.run_folder import RunFolder
from tests.pipelines import finished_run
from tests.pipelines.report import material
from tests.pipelines.report.material import TWO_LEVELS, entry

TABLE = (
    "hlr_iou",
    "hlr_mof",
    "symmetric_f1",
    "t_full_f1",
    "boundary_f1@0.5s",
    "boundary_f1@3s",
    "gebd_f1@0.05",
)
LEVEL_COLUMN = 4  # of the printed row, between scores of the whole hierarchy and those of a level


def table_of(folder: RunFolder) -> ScoreTable:
    (run,) = read_runs([str(folder.root)])
    frame = read_scores(run)
    assert isinstance(frame, pd.DataFrame)
    return ScoreTable([run], [frame])


@pytest.fixture
def printed(tmp_path: Path) -> tuple[RunFolder, str]:
    """A run that was scored, and what was printed."""
    folder = finished_run.make_run(tmp_path / "run")
    truth = read_truth(finished_run.write_truth(tmp_path / "truth.csv", *TWO_LEVELS))
    console = Console(width=100, force_terminal=False)
    evaluation = evaluate_run(folder, truth, 0, Console(quiet=True))
    write_scores(evaluation.scores, folder, truth.path)
    with console.capture() as capture:
        show(evaluation, console)
    return folder, capture.get()


@pytest.mark.parametrize("truth", ["scene", "clip"])
@pytest.mark.parametrize("predictor", ["streamer", "uniform", "dyadic_grid", "random_nested"])
def test_values_are_those_that_evaluate_prints(
    printed: tuple[RunFolder, str], truth: str, predictor: str
) -> None:
    folder, text = printed
    (block,) = [
        part for part in text.split("Scores against the annotated level ") if part.startswith(f"'{truth}'")
    ]
    words = next(line.split() for line in block.splitlines() if line.split()[:1] == [predictor])[1:]
    shown = dict(zip(TABLE, [*words[:LEVEL_COLUMN], *words[LEVEL_COLUMN + 1 :]], strict=False))
    rows = {
        row["metric"]: row
        for row in table_of(folder).summary()
        if row["predictor"] == predictor and row["truth"] in (truth, None)
    }
    assert list(rows) == list(HEADLINES)
    assert {metric: f"{row['value']:.3f}" for metric, row in rows.items()} == shown
    assert {rows[metric]["level"] for metric in TABLE[LEVEL_COLUMN:]} == {int(words[LEVEL_COLUMN])}


def test_a_video_has_values_of_the_whole_and_of_every_level(printed: tuple[RunFolder, str]) -> None:
    table = table_of(printed[0])
    (values,) = table.of_video("a")
    assert values is not None
    found = {(one["truth"], one["metric"]): cell for one, cell in zip(table.metrics, values, strict=True)}
    assert found["scene", "hlr_iou"] == [1.0]
    assert found["scene", "boundary_f1@0.5s"] == [0.75, 1.0, 0.5]
    assert len(found[None, "t_full_f1"]) == 1
    assert table.best_levels == [{"scene": 1, "clip": 0}]
    assert {one["metric"]: one["levels"] for one in table.metrics}["hlr_iou"] is False
    assert table.of_video("nobody") == [None]


def test_counts_of_events_and_scores_of_all_videos_are_no_columns(printed: tuple[RunFolder, str]) -> None:
    metrics = {one["metric"] for one in table_of(printed[0]).metrics}
    assert {"edit", "clustered_edit"} & metrics == {"edit"}
    assert not any(name.startswith(("event", "retrieval", "knn")) for name in metrics)


def test_means_leave_undefined_values_out_and_shares_are_not_pooled(tmp_path: Path) -> None:
    run = material.make_run(tmp_path / "run", [entry("a"), entry("b"), entry("c")])
    columns = ["video_id", "predictor", "truth_level", "level", "metric", "value", "numerator", "denominator"]
    rows: list[tuple[Any, ...]] = [
        ("a", "streamer", "clip", None, "hlr_iou", 0.5, 1.0, 2.0),
        ("b", "streamer", "clip", None, "hlr_iou", 0.0, 0.0, 8.0),
        ("c", "streamer", "clip", None, "hlr_iou", float("nan"), 0.0, 0.0),
        (None, "streamer", "clip", 0, "retrieval_map", 0.3, None, None),
        ("a", "truth", "clip", None, "hlr_iou", 1.0, None, None),
    ]
    pd.DataFrame(rows, columns=columns).astype({"level": "Int8"}).to_parquet(run.evaluation)
    table = table_of(run)
    assert [(row["value"], row["videos"]) for row in table.summary()] == [(0.25, 2)]
    assert table.metrics == [{"truth": "clip", "metric": "hlr_iou", "levels": False}]
    assert table.best_levels == [{}]
    assert table.of_video("c") == [[[None]]]


def test_files_of_version_1_are_read(tmp_path: Path) -> None:
    run = material.make_run(tmp_path / "run", [entry("a"), entry("b")])
    material.write_scores(run, ["a", "b"])
    own = {row["metric"]: row["value"] for row in table_of(run).summary() if row["own"]}
    assert own == {"hlr_iou": 0.325, "symmetric_f1": 0.325, "t_full_f1": 0.325, "boundary_f1@0.5s": 0.325}


def test_files_that_cannot_be_read_are_told_of_in_a_line(tmp_path: Path) -> None:
    folder = material.make_run(tmp_path / "run", [entry("a")])
    (run,) = read_runs([str(folder.root)])
    assert read_scores(run) is None
    folder.evaluation.write_bytes(b"damaged")
    assert "cannot be read" in str(read_scores(run))
    pd.DataFrame({"video_id": ["a"]}).to_parquet(folder.evaluation)
    assert "lacks predictor, truth_level" in str(read_scores(run))
