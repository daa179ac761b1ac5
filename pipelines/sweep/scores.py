"""What ranks trials: the scores of a trial's run, under the names by which a file asks for one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pyarrow.parquet as pq

from pipelines.evaluation import metric_values
from pipelines.run_folder import RunFolder
from pipelines.scoring import PREDICTORS, Score, summarise
from pipelines.sweep.plan import Plan, SweepError

NAMED_AT_MOST = 3
OWN = PREDICTORS[0]


@dataclass(frozen=True)
class Scores:
    """Scores of one run.

    Attributes:
        values: means over videos, by the names that MLflow has them under, without the predictor.
        names: all that were measured, the undefined ones among them.
    """

    values: Mapping[str, float]
    names: Collection[str]


def read_scores(folder: RunFolder) -> Scores | None:
    """Scores of the hierarchies of a run; None where it was not scored."""
    if not folder.evaluation.exists():
        return None
    with pq.ParquetFile(folder.evaluation) as file:
        summary = summarise([Score(**row) for row in file.read().to_pylist()])
    defined = metric_values(summary)
    every = metric_values(summary.assign(mean=summary["mean"].fillna(0.0)))
    return Scores(_own(defined), _own(every).keys())


def _own(values: Mapping[str, float]) -> dict[str, float]:
    """What is said of the model's hierarchies, not of the floors."""
    parts = {name: name.split("/") for name in values}
    return {
        "/".join([level, *rest]): values[name]
        for name, (level, predictor, *rest) in parts.items()
        if predictor == OWN
    }


def tracked_name(metric: str) -> str:
    """The name under which MLflow has a score of a trial."""
    level, *rest = metric.split("/")
    return "/".join([level, OWN, *rest])


def check_metric(plan: Plan, scores: Scores) -> None:
    """Makes sure that the metric that ranks is one that is measured.

    Raises:
        SweepError: it is not; names the nearest that are.
    """
    metric = plan.file.metric
    # Which levels there are differs from trial to trial.
    if _family(metric) in map(_family, scores.names):
        return
    near = difflib.get_close_matches(metric, list(scores.names), NAMED_AT_MOST, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(sorted(scores.names))}"
    raise SweepError(f"{plan.path}: unknown metric {metric} ({hint})")


def _family(metric: str) -> str:
    return re.sub(r"/level\d+$", "/level", metric)
