"""Metrics by step, as `train` and `segment` logged them, taken over into the runs of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pipelines.comparison.runs import ComparedRun, ComparisonError
from pipelines.tracking import SQLITE, Point, Tracker, first_line, open_client

MOST_POINTS = 400
"""Of one curve; more than a chart of MLflow shows."""

T = TypeVar("T")


def copy_curves(run: ComparedRun, tracker: Tracker) -> list[str]:
    """Logs what the run's own MLflow run holds by step, thinned out.

    Returns:
        Why it could not be had, in one line; nothing where it could, or where the run was not tracked.
    """
    place = run.facts.get("mlflow") or {}
    uri, run_id = place.get("uri"), place.get("run_id")
    if not uri or not run_id:
        return []
    try:
        curves = _stored_curves(uri, run_id)
    except ComparisonError as error:
        return [f"{run.label}: in MLflow without its curves by step: {error}"]
    tracker.log_curves({name: thinned(points, MOST_POINTS) for name, points in curves.items()})
    return []


def _stored_curves(uri: str, run_id: str) -> dict[str, list[Point]]:
    """Metrics of a run that were logged at several steps.

    Raises:
        ComparisonError: the store cannot be read, or does not know the run.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # MLflow would make a database that is not there.
    if uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).exists():
        raise ComparisonError(f"{uri}: is not there any more")
    try:
        client = open_client(uri)
        names = client.get_run(run_id).data.metrics
        histories = {name: client.get_metric_history(run_id, name) for name in names}
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise ComparisonError(f"{uri}: cannot be read: {first_line(error)}") from error
    return {
        name: sorted(Point(metric.step, metric.timestamp, metric.value) for metric in history)
        for name, history in histories.items()
        if len({metric.step for metric in history}) > 1
    }


def thinned(points: Sequence[T], most: int) -> list[T]:
    """At most so many of the points, evenly, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(place * (len(points) - 1) / (most - 1))] for place in range(most)]
