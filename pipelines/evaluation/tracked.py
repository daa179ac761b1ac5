"""What MLflow is told of an evaluation."""

from __future__ import annotations

import re

import pandas as pd

from pipelines.evaluation.predictors import SHUFFLED
from pipelines.evaluation.summary import BEST_LEVEL
from pipelines.metric_names import metric_name, unique_names

HEADLINE = re.compile(
    r"(best_level_)?((clustered_)?(frame_accuracy|frame_iou|frame_f1|edit|segmental_f1@\d+)|boundary_f1@.*"
    r"|gebd_f1.*|events|event_length_median_s)"
    r"|hlr_.*|(symmetric|t_full|t_reduced|l)_f1|retrieval_.*|knn_accuracy"
)
"""Metrics of which MLflow is told, of a run's own whole hierarchy and best level."""

OF_A_LEVEL = re.compile(
    r"boundary_(precision|recall|f1)@(0\.5|3)s|events|retrieval_(map|recall@1)|knn_accuracy"
)
"""Of each of its levels, and of the same with representations dealt out at random."""

BESIDE = re.compile(
    r"hlr_.*|(symmetric|t_full|l)_f1|events|best_level_(boundary_f1@(0\.5|3)s|gebd_f1@0\.05|frame_accuracy|events)"
)
"""Of each floor and of the annotation."""


def metric_values(summary: pd.DataFrame, own: str) -> dict[str, float]:
    """Defined means under the names of `pipelines.metric_names`.

    Only the usual ones: `evaluation.parquet` has the rest, and a page of MLflow with hundreds of charts helps
    nobody.

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
    if of_a_level:
        return predictor in (own, SHUFFLED) and OF_A_LEVEL.fullmatch(metric) is not None
    return (HEADLINE if predictor == own else BESIDE).fullmatch(metric) is not None
