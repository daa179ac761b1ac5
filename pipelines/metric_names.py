"""Names of scores in MLflow, the same whichever command logs them.

`scene/hlr_iou` is the run's own score against the annotated level `scene`, whatever its predictor is called:
so MLflow can hold runs of different predictors against each other. MLflow draws a group of charts for each
part before the last slash.

    scene/hlr_iou                             of the whole hierarchy
    scene/best_level/boundary_f1_at_0.5s      of the level that fits best
    scene/level0/boundary_f1_at_0.5s          of one level
    scene/beside/dyadic_grid/hlr_iou          of a floor, beside the run
    scene/beside/truth/events                 of the annotation itself
"""

from __future__ import annotations

import re
from collections.abc import Iterable

BESIDE = "beside"
LONGEST = 100  # characters of a truth level in the name of a metric; MLflow takes 250 for the whole


def unique_names(levels: Iterable[str]) -> dict[str, str]:
    """Names for levels of annotation, different for different levels, that may stand in a metric's name."""
    names: dict[str, str] = {}
    for level in levels:
        # MLflow takes names for paths, in which leading dots have a meaning.
        plain = re.sub(r"^\.+", "_", re.sub(r"[^\w\-. ]", "_", level[:LONGEST]))
        name, number = plain, 1
        while name in names.values():
            number += 1
            name = f"{plain}-{number}"
        names[level] = name
    return names


def metric_name(
    truth_level: str, metric: str, *, level: int | None = None, best: bool = False, beside: str | None = None
) -> str:
    """The name of a score.

    Args:
        truth_level: a name from `unique_names`.
        metric: what was measured.
        level: of which level, 0 the finest; None for the whole hierarchy.
        best: whether that level was chosen because it fits best; it is not named then.
        beside: the predictor, where it is not the run's own.
    """
    parts = [truth_level]
    if beside is not None:
        parts += [BESIDE, beside]
    if best:
        parts.append("best_level")
    elif level is not None:
        parts.append(f"level{level}")
    return "/".join([*parts, metric.replace("@", "_at_")])
