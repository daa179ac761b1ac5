"""The floors on the public annotations of EPIC-KITCHENS-100, through the whole stage."""

import csv
import math
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.annotations import Truth, read_truth
from pipelines.evaluation.run import evaluate_run
from pipelines.evaluation.scores import read_scores, write_scores
from pipelines.evaluation.summary import summarise
from pipelines.run_folder import RunFolder, VideoRow
from streamer.hierarchy import Event, Hierarchy
from tests.pipelines.finished_run import entry

EPIC = Path(__file__).resolve().parents[4] / "shared" / "annotations" / "epic-kitchens-100"
PAGE = Path(__file__).resolve().parents[3] / "docs" / "evaluation.md"
NAMES = {
    "one event for the whole video": "streamer",
    "fixed period of 2 s": "fixed_period",
    "uniform with the true count": "uniform",
    "random nested, three levels": "random_nested",
    "dyadic grid": "dyadic_grid",
}
COLUMNS = ("hlr_iou", "hlr_mof", "symmetric_f1", "t_full_f1")


def figures_of_the_page() -> dict[tuple[str, str], float]:
    """The table of the floors in docs/evaluation.md, by predictor and metric."""
    section = PAGE.read_text().split("## Why the floors stand")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines()]
    return {
        (NAMES[name], metric): float(figure)
        for name, *figures in (row for row in rows if row and row[0] in NAMES)
        for metric, figure in zip(COLUMNS, figures, strict=True)
    }


def without_labels(truth: Truth) -> Truth:
    """Labels take most of the time, and level reduction does not look at them."""
    videos = {
        video_id: {name: [(start, end, "") for start, end, _ in events] for name, events in levels.items()}
        for video_id, levels in truth.videos.items()
    }
    return Truth(truth.path, videos, dataset=truth.dataset)


def write_run(folder: RunFolder, video_ids: list[str]) -> None:
    """A run that found one event in every video, with the durations and frame rates of the dataset."""
    with (EPIC / "EPIC_100_video_info.csv").open() as file:
        facts = {row["video_id"]: (float(row["duration"]), float(row["fps"])) for row in csv.DictReader(file)}
    folder.create()
    folder.write_run("finished", {})
    rows = []
    for video_id in video_ids:
        duration, fps = facts[video_id]
        snippets = math.ceil(duration / 0.5)
        whole = Hierarchy(video_id, duration, 0.5, [[Event(0.0, duration)]], snippets, dim=1)
        whole.to_parquet(folder.hierarchy_of(video_id))
        rows.append(VideoRow(entry(video_id, duration_s=duration, fps=fps), "done", None, duration, snippets))
    folder.write_videos(rows)


@pytest.mark.skipif(not EPIC.is_dir(), reason="the EPIC-KITCHENS-100 annotations are not beside the project")
def test_floors_have_their_known_scores(tmp_path):
    truth = without_labels(read_truth(EPIC / "EPIC_100_validation.csv"))
    folder = RunFolder(tmp_path / "run")
    write_run(folder, list(truth.videos))
    evaluation = evaluate_run(folder, truth, 0, Console(quiet=True))
    assert (len(evaluation.scored), evaluation.missing, evaluation.unknown) == (138, [], [])
    write_scores(evaluation.scores, folder, truth.path)
    summary = summarise(read_scores(folder))
    [truth_level] = {name for name in summary["truth_level"] if name != "all levels"}
    of_level = summary[summary["truth_level"] == truth_level].set_index(["predictor", "metric"])["mean"]
    assert round(of_level["truth", "events"] * 138) == 9668
    means = summary[summary["level"].isna()].set_index(["predictor", "metric"])["mean"]
    stated = figures_of_the_page()
    assert len(stated) == len(NAMES) * len(COLUMNS)
    assert {key: means[key] for key in stated} == pytest.approx(stated, abs=6e-4)
