"""Data for the pages, as scripts that hand over a value: pages opened from disk may load nothing else.

Numbers are whole wherever they can be (milliseconds, steps of a range): they are short in JSON, and columns
of times are written as differences, which are shorter still.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from streamer.atomic import atomic_write

STEPS = 9999
"""Steps into which the range of a quantised column is divided."""

_DIGITS = 4
# What could end a script, begin a comment, or be taken for markup; JSON's own escapes stand for them.
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def script(name: str, value: Any) -> str:
    """A script that hands `value` over under `name`, in ASCII, safe also inside of a page."""
    text = f"report.receive({_json(name)}, {_json(value)});\n"
    for letter, escape in _ESCAPES.items():
        text = text.replace(letter, escape)
    return text


def write_script(path: Path, name: str, value: Any) -> None:
    """Writes such a script, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(script(name, value), encoding="ascii")


def milliseconds(times_s: np.ndarray) -> list[int]:
    """Ascending seconds [n] as whole milliseconds, written as `differences`."""
    return differences(np.rint(np.asarray(times_s, np.float64) * 1000).astype(np.int64))


def differences(values: np.ndarray) -> list[int]:
    """Whole numbers [n], each after the first as the difference to the one before."""
    return np.diff(values, prepend=0).tolist()


def rounded(values: Iterable[float | None]) -> list[float | None]:
    """Numbers with four significant digits; None where there is none or it is not finite."""
    return [
        None if value is None or not math.isfinite(value) else float(f"{value:.{_DIGITS}g}")
        for value in values
    ]


def quantised(values: np.ndarray, low: float, high: float) -> list[int | None]:
    """Numbers [n] as steps from `low` (0) to `high` (`STEPS`); None where they are not finite."""
    scale = STEPS / (high - low) if high > low else 0.0
    steps = np.where(np.isfinite(values), (values - low) * scale, 0.0)
    whole = np.rint(steps).astype(np.int64).tolist()
    if np.isfinite(values).all():
        return whole
    return [step if known else None for step, known in zip(whole, np.isfinite(values), strict=True)]


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
