"""The `evaluate` command: scores a run that is there."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Console

from pipelines.annotations import read_truth
from pipelines.config import EvaluateConfig
from pipelines.evaluation.run import evaluate_run, show, track_evaluation
from pipelines.evaluation.scores import write_scores
from pipelines.run_folder import RunFolder, software
from pipelines.run_tags import dataset_name, run_tags
from pipelines.tracking import Tracker, ended


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
    inputs = run.get("config", {}).get("inputs", [])
    tracker = Tracker(
        folder,
        config.experiment,
        name,
        config.tracking_uri,
        source="streamer evaluate",
        tags=run_tags(
            "evaluate",
            predictor=scores.predictor,
            folder=folder.root,
            inputs=inputs,
            software=software(),
            description=f"`streamer evaluate` of `{folder.root}` against `{config.truth}`",
        ),
    )
    with ended(tracker):
        write_scores(scores.scores, folder, scores.truth.path)
        for note in scores.truth.notes:
            console.print(note, style="yellow", highlight=False, soft_wrap=True, markup=False)
        show(scores, console)
        tracker.log_params({**asdict(config), "model": run.get("config", {}).get("model", {})})
        tracker.log_dataset(
            folder.read_videos(), ", ".join(inputs), dataset_name(inputs) or "inputs", "evaluate"
        )
        track_evaluation(scores, folder, tracker)
    console.print(f"scores  {folder.evaluation}", highlight=False, soft_wrap=True, markup=False)
    console.print(f"MLflow  {tracker.directions}", highlight=False, soft_wrap=True, markup=False)
    return 0
