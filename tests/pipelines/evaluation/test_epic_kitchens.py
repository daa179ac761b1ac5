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
KNOWN = {
    "streamer": (0.122, 0.686),  # one event as long as the video
    "fixed_period": (0.466, 0.584),
    "uniform": (0.432, 0.662),
    "dyadic_grid": (0.504, 0.702),
    "random_nested": (0.466, 0.696),
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
    write_scores(evaluation.scores, folder)
    summary = summarise(read_scores(folder))
    [truth_level] = {name for name in summary["truth_level"] if name != "all levels"}
    means = summary[summary["truth_level"] == truth_level].set_index(["predictor", "metric"])["mean"]
    assert round(means["truth", "events"] * 138) == 9668
    for predictor, (iou, mof) in KNOWN.items():
        assert means[predictor, "hlr_iou"] == pytest.approx(iou, abs=0.01), predictor
        assert means[predictor, "hlr_mof"] == pytest.approx(mof, abs=0.01), predictor
