"""The `evaluate` command: scores a run that is there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from pipelines.annotations import read_truth
from pipelines.config import EvaluateConfig
from pipelines.evaluation.run import evaluate_run, show, track_evaluation
from pipelines.evaluation.scores import write_scores
from pipelines.run_folder import RunFolder
from pipelines.tracking import Tracker


def evaluate(config: EvaluateConfig, console: Console) -> int:
    """Scores, prints, writes `evaluation.parquet`, and records an MLflow run.

    Raises:
        StreamerError: the run, the annotations or the tracking store cannot be used; the run's folder is
            as it was then.
    """
    folder = RunFolder(config.run)
    run = folder.read_run()
    folder.check_writable()
    truth = read_truth(config.truth)
    scores = evaluate_run(folder, truth, config.seed, console)
    name = f"{'/'.join(folder.root.parts[-2:])} evaluation"
    tracker = Tracker(folder, config.experiment, name, config.tracking_uri, source="streamer evaluate")
    write_scores(scores.scores, folder)
    for note in scores.truth.notes:
        console.print(note, style="yellow", highlight=False, soft_wrap=True, markup=False)
    show(scores, console)
    tracker.log_params({**asdict(config), "model": run.get("config", {}).get("model", {})})
    rows = [row for row in folder.read_videos() if row["video_id"] in scores.truth.videos]
    tracker.log_dataset(rows, str(Path(config.truth).absolute()), "annotated videos", "evaluation")
    track_evaluation(scores, folder, tracker)
    tracker.close()
    console.print(f"scores  {folder.evaluation}", highlight=False, soft_wrap=True, markup=False)
    console.print(f"MLflow  {tracker.directions}", highlight=False, soft_wrap=True, markup=False)
    return 0
