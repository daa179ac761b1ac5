"""One row per variant: what tells how good it is."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from benchmarks.quality.scoring import SIGNAL
from benchmarks.quality.tables import best_levels, markdown, mean_text, pooled_text
from pipelines.evaluation.scores import ALL_LEVELS

AREAS = ("auc cut+fade, first minute", "auc change, whole", "auc pattern, whole", "auc pattern, after 10 min")
LEVELS = (("motion", "0.5"), ("activity", "0.5"), ("scene", "1"))
"""Of annotation, and seconds within which a boundary is in place."""


def summarise(scores: pd.DataFrame) -> str:
    """A table in Markdown: areas pooled over videos, the rest means over videos.

    Args:
        scores: as `pipelines.evaluation.scores.scores_frame` makes them, with `SIGNAL` as a level.
    """
    heads = ["variant", *(f"AUC {name.removeprefix('auc ')}" for name in AREAS)]
    heads += [f"{level} F1@{seconds}" for level, seconds in LEVELS] + ["T full", "seconds per event"]
    names = list(dict.fromkeys(scores["predictor"]))
    return markdown(heads, [_row(name, scores.loc[scores["predictor"] == name]) for name in names])


def _row(name: str, own: pd.DataFrame) -> Sequence[str]:
    signal = own.loc[own["truth_level"] == SIGNAL]
    cells = [_short(pooled_text(signal.loc[signal["metric"] == area])) for area in AREAS]
    for level, seconds in LEVELS:
        of_level = own.loc[own["truth_level"] == level]
        chosen = of_level.loc[of_level["level"] == best_levels(of_level).get(name)]
        cells.append(_short(mean_text(chosen.loc[chosen["metric"] == f"boundary_f1@{seconds}s"])))
    whole = own.loc[(own["truth_level"] == ALL_LEVELS) & (own["metric"] == "t_full_f1")]
    lengths = own.loc[(own["metric"] == "event_length_mean_s") & (own["truth_level"] == LEVELS[0][0])]
    means = lengths.groupby("level")["value"].mean()
    return [name, *cells, _short(mean_text(whole)), " / ".join(f"{mean:.1f}" for mean in means)]


def _short(text: str) -> str:
    """Without its interval."""
    return text.partition(" ")[0]
