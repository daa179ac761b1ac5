"""What MLflow is told of an evaluation."""

from __future__ import annotations

import re

import pandas as pd

from pipelines.evaluation.predictors import SHUFFLED
from pipelines.evaluation.scores import TRUTH
from pipelines.evaluation.summary import BEST_LEVEL
from pipelines.metric_names import metric_name, unique_names

HEADLINE = re.compile(
    r"(best_level_)?((clustered_)?(frame_accuracy|edit|segmental_f1@50)|boundary_f1@.*"
    r"|gebd_f1.*|events|event_length_median_s)"
    r"|hlr_.*|(symmetric|t_full|t_reduced|l)_f1|retrieval_.*|knn_accuracy"
)
"""Metrics of a run of which MLflow is told; of its levels also precision and recall of boundaries."""

FLOOR_HEADLINE = re.compile(
    r"best_level_(boundary_f1@.*|gebd_f1@.*|events|frame_accuracy)"
    r"|hlr_.*|(symmetric|t_full|l)_f1|retrieval_map|knn_accuracy"
)
"""Metrics of floors of which MLflow is told."""


def metric_values(summary: pd.DataFrame, own: str) -> dict[str, float]:
    """Defined means under the names of `pipelines.metric_names`.

    Of the floors only the main figures, of their whole hierarchy or of their best level: `evaluation.parquet`
    has the rest, and a page of MLflow with hundreds of charts helps nobody.

    Args:
        summary: what `summarise` returned.
        own: what the run's own predictor is called.
    """
    names = unique_names(dict.fromkeys(summary["truth_level"]))
    values: dict[str, float] = {}
    rows = summary.to_dict("records")
    for row in sorted(rows, key=lambda row: row["predictor"] != own):  # MLflow shows the first first
        best = row["metric"].startswith(BEST_LEVEL)
        of_a_level = not pd.isna(row["level"]) and not best
        predictor = row["predictor"]
        if pd.isna(row["mean"]) or not _is_told(row["metric"], predictor, of_a_level, own):
            continue
        name = metric_name(
            names[row["truth_level"]],
            row["metric"].removeprefix(BEST_LEVEL),
            level=int(row["level"]) if of_a_level else None,
            best=best,
            beside=None if predictor == own else predictor,
        )
        values[name] = float(row["mean"])
    return values


def _is_told(metric: str, predictor: str, of_a_level: bool, own: str) -> bool:
    if predictor not in (own, TRUTH):
        return (not of_a_level or predictor == SHUFFLED) and FLOOR_HEADLINE.fullmatch(metric) is not None
    return (of_a_level and metric.startswith("boundary_")) or HEADLINE.fullmatch(metric) is not None
