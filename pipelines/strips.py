"""Strips of events: boxes in one line, or in rows where events overlap, with the labels that have room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from pipelines.drawing import COLUMNS, DPI, EMPTY, INK, LABEL_PT, Tint, fitting_text, write_name
from streamer.metrics import LabelledSegment

_STRIP_IN = 0.42
_ROW_IN = 0.25
_MAX_ROWS = 6
_BETWEEN_STRIPS_IN = 0.1
_BETWEEN_GROUPS_IN = 0.32
_GAP_PX = 2.0
_WIDEST_GAP = 0.25  # of an event's width, so that events narrower than a pixel do not vanish
_LABEL_MARGIN_PX = 6
_NARROWEST_LABEL_PX = 8


@dataclass(frozen=True)
class Strip:
    """Events drawn in one line across the figure.

    Attributes:
        name: what stands at the left.
        note: what stands below the name.
        tint: colours.
        events: (start, end, label) in seconds.
        rows: the row of each event within the strip.
    """

    name: str
    note: str
    tint: Tint
    events: Sequence[LabelledSegment]
    rows: Sequence[int]

    @property
    def num_rows(self) -> int:
        """Number of rows, at least 1."""
        return max(self.rows, default=0) + 1

    @property
    def height_in(self) -> float:
        """Height in inches."""
        return max(_STRIP_IN, self.num_rows * _ROW_IN)


def assign_rows(events: Sequence[LabelledSegment], tolerance_s: float) -> list[int]:
    """Returns the row of each event, such that those of one row overlap only where there is no free row left.

    Args:
        events: (start, end, label) in any order.
        tolerance_s: overlaps up to this long are too short to be seen and need no row.
    """
    ends: list[float] = []
    rows = [0] * len(events)
    for index in sorted(range(len(events)), key=lambda i: _by_start(events[i])):
        start, end, _ = events[index]
        free = (row for row, busy_until in enumerate(ends) if busy_until <= start + tolerance_s)
        row = next(free, None)
        if row is None and len(ends) < _MAX_ROWS:
            row = len(ends)
            ends.append(end)
        elif row is None:
            row = ends.index(min(ends))
        ends[row] = max(ends[row], end)
        rows[index] = row
    return rows


def stack_strips(strips: Sequence[Strip], first_group: int) -> tuple[list[float], float]:
    """Returns the upper edge of every strip, and the lower edge of the last, in inches from the top."""
    tops = [0.0]
    for number, strip in enumerate(strips[:-1], start=1):
        between = _BETWEEN_GROUPS_IN if number == first_group else _BETWEEN_STRIPS_IN
        tops.append(tops[-1] + strip.height_in + between)
    return tops, tops[-1] + strips[-1].height_in + _BETWEEN_STRIPS_IN


def draw_strip(axes: Axes, strip: Strip, top: float, duration_s: float) -> None:
    """Draws a strip whose upper edge is at `top`, on axes whose vertical unit is the inch, pointing down."""
    height = strip.height_in
    axes.broken_barh([(0, duration_s)], (top, height), facecolors=EMPTY, zorder=1)
    write_name(axes, top + height / 2, strip.name, strip.note)
    if not strip.events:
        return
    starts, ends = np.array([event[:2] for event in strip.events]).T
    pixel_s = duration_s / COLUMNS
    gaps = np.minimum(_GAP_PX * pixel_s, _WIDEST_GAP * (ends - starts)) / 2
    row_in = height / strip.num_rows
    inset = _GAP_PX / DPI / 2 if strip.num_rows > 1 else 0.0
    tops = top + np.array(strip.rows) * row_in
    left, right, upper, lower = starts + gaps, ends - gaps, tops + inset, tops + row_in - inset
    corners = np.stack([left, upper, right, upper, right, lower, left, lower], axis=1).reshape(-1, 4, 2)
    # Translucent, so that events that share a row for want of a free one are both seen.
    boxes = PolyCollection(
        corners,  # pyright: ignore[reportArgumentType] (an array [n, 4, 2] is the quick one of its documented forms)
        facecolors=strip.tint.area,
        edgecolors="none",
        alpha=0.9,
        zorder=2,
        label=strip.name,
    )
    axes.add_collection(boxes, autolim=False)
    _draw_labels(axes, strip, tops + row_in / 2, pixel_s)


def _by_start(event: LabelledSegment) -> tuple[float, float]:
    """Orders by start, the longer of two that start together first."""
    start, end, _ = event
    return start, -end


def _draw_labels(axes: Axes, strip: Strip, middles: np.ndarray, pixel_s: float) -> None:
    """Writes the labels that have room; of events that share a row, only the first has."""
    busy_until = [-math.inf] * strip.num_rows
    for index in sorted(range(len(strip.events)), key=lambda i: _by_start(strip.events[i])):
        start, end, label = strip.events[index]
        row = strip.rows[index]
        alone = start >= busy_until[row] - pixel_s
        busy_until[row] = max(busy_until[row], end)
        width_px = (end - start) / pixel_s - _LABEL_MARGIN_PX
        if not alone or width_px < _NARROWEST_LABEL_PX:
            continue
        shown = fitting_text(label, width_px, LABEL_PT)
        if not shown:
            continue
        axes.text(
            (start + end) / 2,
            middles[index],
            shown,
            fontsize=LABEL_PT,
            color=INK,
            ha="center",
            va="center_baseline",
            zorder=4,
            parse_math=False,
        )
