"""What MLflow is told of an evaluation."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from pipelines.evaluation.predictors import SHUFFLED
from pipelines.evaluation.scores import TRUTH
from pipelines.evaluation.summary import BEST_LEVEL

LONGEST_NAME = 100  # characters of a truth level in the name of a metric; MLflow takes 250 for the whole
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
    """Defined means under the names that MLflow takes: `clip/streamer/boundary_f1_at_3s/level0`.

    Of the floors only the main figures, of their whole hierarchy or of their best level: `evaluation.parquet`
    has the rest, and a page of MLflow with hundreds of charts helps nobody.

    Args:
        summary: what `summarise` returned.
        own: what the run's own predictor is called.
    """
    names = _unique_names(dict.fromkeys(summary["truth_level"]))
    values: dict[str, float] = {}
    for row in summary.to_dict("records"):
        of_a_level = not pd.isna(row["level"]) and not row["metric"].startswith(BEST_LEVEL)
        if pd.isna(row["mean"]) or not _is_told(row["metric"], row["predictor"], of_a_level, own):
            continue
        parts = [names[row["truth_level"]], row["predictor"], row["metric"].replace("@", "_at_")]
        if of_a_level:
            parts.append(f"level{int(row['level'])}")
        values["/".join(parts)] = float(row["mean"])
    return values


def _is_told(metric: str, predictor: str, of_a_level: bool, own: str) -> bool:
    if predictor not in (own, TRUTH):
        return (not of_a_level or predictor == SHUFFLED) and FLOOR_HEADLINE.fullmatch(metric) is not None
    return (of_a_level and metric.startswith("boundary_")) or HEADLINE.fullmatch(metric) is not None


def _unique_names(levels: Iterable[str]) -> dict[str, str]:
    """Names for levels of annotation, different for different levels, that may stand in a metric's name."""
    names: dict[str, str] = {}
    for level in levels:
        # MLflow takes names for paths, in which leading dots have a meaning.
        plain = re.sub(r"^\.+", "_", re.sub(r"[^\w\-. ]", "_", level[:LONGEST_NAME]))
        name, number = plain, 1
        while name in names.values():
            number += 1
            name = f"{plain}-{number}"
        names[level] = name
    return names
