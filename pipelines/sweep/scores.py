"""What ranks trials: the scores of a trial's run, under the names by which a file asks for one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pipelines.evaluation import scores
from pipelines.evaluation.predictors import STREAMER
from pipelines.evaluation.summary import summarise
from pipelines.evaluation.tracked import metric_values
from pipelines.metric_names import BESIDE
from pipelines.run_folder import RunFolder
from pipelines.sweep.plan import Plan, SweepError

NAMED_AT_MOST = 3  # of the nearest names
SHOWN = 8  # where none is near


@dataclass(frozen=True)
class Scores:
    """Scores of one run.

    Attributes:
        values: means over videos, by the names that MLflow has them under.
        names: all that were measured, the undefined ones among them.
    """

    values: Mapping[str, float]
    names: Collection[str]


def read_scores(folder: RunFolder) -> Scores | None:
    """Scores of the hierarchies of a run; None where it was not scored.

    Raises:
        RunFolderError: they cannot be read, or are of another version.
    """
    if not folder.evaluation.exists():
        return None
    summary = summarise(scores.read_scores(folder))
    defined = metric_values(summary, STREAMER)
    every = metric_values(summary.assign(mean=summary["mean"].fillna(0.0)), STREAMER)
    return Scores(_own(defined), _own(every).keys())


def _own(values: Mapping[str, float]) -> dict[str, float]:
    """What is said of the model's hierarchies, not of the floors beside them."""
    return {name: value for name, value in values.items() if name.split("/")[1] != BESIDE}


def check_metric(plan: Plan, measured: Scores) -> None:
    """Makes sure that the metric that ranks is one that is measured.

    Raises:
        SweepError: it is not; names the nearest that are.
    """
    metric = plan.file.metric
    # Which levels there are differs from trial to trial.
    if _family(metric) in map(_family, measured.names):
        return
    near = difflib.get_close_matches(metric, list(measured.names), NAMED_AT_MOST, cutoff=0.4)
    raise SweepError(f"{plan.path}: unknown metric {metric} ({_hint(near, sorted(measured.names))})")


def _hint(near: Sequence[str], known: Sequence[str]) -> str:
    if near:
        return f"did you mean {', '.join(near)}?"
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"there are {', '.join(known[:SHOWN])}{more}"


def _family(metric: str) -> str:
    return re.sub(r"/level\d+/", "/level/", metric)
