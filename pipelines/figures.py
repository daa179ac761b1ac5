"""Figures of one video: its events beside the annotated ones, and its signals with their boundaries."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipelines.drawing import (
    BOTTOM_IN,
    COLUMNS,
    DPI,
    EMPTY,
    HEAD_IN,
    INK,
    LEFT_IN,
    NOTE_PT,
    QUIET,
    WIDTH_IN,
    AnnotatedLevel,
    Tint,
    annotated_levels,
    draw_time_axis,
    fitting_text,
    found_tint,
    missing_glyphs_allowed,
    new_axes,
    new_figure,
    opacity,
    write_name,
    write_title,
)
from pipelines.strips import Strip, assign_rows, draw_strip, stack_strips
from streamer.atomic import atomic_write
from streamer.hierarchy import Hierarchy
from streamer.metrics import LabelledSegment

_TRUTH_LINES = ((1.3, 0.6), (0.9, 0.5))  # linewidth and opacity, the coarsest level first
_TRUTH_SHARE = 0.2  # of the area that the lines of a level may hide

_PANEL_IN = 1.7
_BETWEEN_PANELS_IN = 0.25
_LEGEND_COLUMNS = 4
_LEGEND_ROW_IN = 0.24
_RUG = 0.1  # of a panel's height, at its foot
_MARGIN = 0.06  # of the signal's range, above and below it
_POINTS_PER_COLUMN = 2
_COLUMNS_PER_MARKER = 8
_HANDLE_PX = 50
_LABEL_AT = -0.04  # of the axes' width, the same in all panels whatever their tick labels
_MARK_PT = 1.3
_MARKS_SHARE = 0.6


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Writes a figure as PNG, whole or not at all.

    Args:
        figure: the figure.
        path: the file to make or replace; its folder must exist.

    Raises:
        OSError: the file cannot be written.
    """
    with atomic_write(path) as temporary, missing_glyphs_allowed():
        figure.savefig(temporary, format="png", dpi=figure.dpi)


def timeline_figure(hierarchy: Hierarchy, truth: Mapping[str, Sequence[LabelledSegment]]) -> Figure:
    """Draws the events of every level below the annotated ones, over a common time axis.

    Coarse levels stand above fine ones. Lines in the colour of an annotated level carry its boundaries down
    behind all strips below. Annotations that overlap are stacked in rows of their strip.

    Args:
        hierarchy: the events of the video.
        truth: per annotated level, (start, end, label) in seconds, in any order; may be empty. What lies
            behind the end of the video is not drawn.

    Returns:
        A figure 1400 pixels wide.
    """
    duration_s = hierarchy.duration_s
    annotated = annotated_levels(truth, duration_s)
    truth_strips = [_truth_strip(level, duration_s) for level in annotated]
    strips = truth_strips + [_found_strip(hierarchy, i) for i in reversed(range(hierarchy.num_levels))]
    tops, bottom = stack_strips(strips, len(truth_strips))
    figure = new_figure(HEAD_IN + bottom + BOTTOM_IN)
    write_title(figure, hierarchy)
    axes = new_axes(figure, HEAD_IN, bottom, duration_s)
    axes.set_ylim(bottom, 0)
    axes.set_yticks([])
    for strip, top in zip(strips, tops, strict=True):
        draw_strip(axes, strip, top, duration_s)
    for place, level in enumerate(annotated):
        # Behind the events: a boundary that was found shows in the gap, in the colour of what it agrees with.
        _draw_truth_boundaries(axes, level, place, top=1 - tops[place] / bottom, zorder=1.9)
    draw_time_axis(axes, duration_s)
    return figure


def signal_figure(
    hierarchy: Hierarchy,
    signals: pa.Table,
    truth: Mapping[str, Sequence[LabelledSegment]],
    *,
    signal_name: str,
) -> Figure:
    """Draws every level's signal over time, with the boundaries that it led to and the annotated ones.

    Args:
        hierarchy: the events of the video.
        signals: the signals of the same video, with the columns of `pipelines.store.SIGNALS_SCHEMA`. Where a
            level has several for each pixel, their range and mean are drawn.
        truth: as in `timeline_figure`.
        signal_name: what the signal measures, "similarity" or "error".

    Returns:
        A figure 1400 pixels wide with one panel per level, the coarsest on top.
    """
    annotated = annotated_levels(truth, hierarchy.duration_s)
    rows = math.ceil((len(annotated) + 2) / _LEGEND_COLUMNS)
    head = HEAD_IN + rows * _LEGEND_ROW_IN
    height = hierarchy.num_levels * (_PANEL_IN + _BETWEEN_PANELS_IN) - _BETWEEN_PANELS_IN
    figure = new_figure(head + height + BOTTOM_IN)
    write_title(figure, hierarchy)
    measured = signals["level"].to_numpy()
    crowded = np.bincount(measured).max(initial=0) > _POINTS_PER_COLUMN * COLUMNS
    _draw_legend(figure, annotated, f"{signal_name}, mean and range" if crowded else signal_name)
    for panel, level in enumerate(reversed(range(hierarchy.num_levels))):
        top = head + panel * (_PANEL_IN + _BETWEEN_PANELS_IN)
        axes = new_axes(figure, top, _PANEL_IN, hierarchy.duration_s)
        axes.set_facecolor(EMPTY)
        _draw_signal(axes, signals.filter(pa.array(measured == level)), found_tint(level))
        for place, truth_level in enumerate(annotated):
            _draw_truth_boundaries(axes, truth_level, place)
        _draw_found_boundaries(axes, hierarchy, level)
        write_name(axes, sum(axes.get_ylim()) / 2, f"level {level}", _count(hierarchy.levels[level]))
        axes.set_ylabel(signal_name, color=QUIET, fontsize=NOTE_PT, parse_math=False)
        axes.yaxis.set_label_coords(_LABEL_AT, 0.5)
        draw_time_axis(axes, hierarchy.duration_s, labelled=level == 0)
    return figure


def _truth_strip(level: AnnotatedLevel, duration_s: float) -> Strip:
    rows = assign_rows(level.events, tolerance_s=duration_s / COLUMNS / 2)
    return Strip(level.name, f"annotated, {_count(level.events)}", level.tint, level.events, rows)


def _found_strip(hierarchy: Hierarchy, level: int) -> Strip:
    events = [(start, end, "") for start, end in hierarchy.segments(level)]
    return Strip(f"level {level}", f"found, {_count(events)}", found_tint(level), events, [0] * len(events))


def _count(events: Sequence[object]) -> str:
    return "1 event" if len(events) == 1 else f"{len(events)} events"


def _draw_truth_boundaries(
    axes: Axes, level: AnnotatedLevel, place: int, top: float = 1.0, zorder: float = 3.0
) -> None:
    """Draws lines from the foot of the axes up to `top`, in parts of their height.

    Args:
        axes: where to.
        level: whose boundaries.
        place: 0 for the coarsest level, whose lines are stronger and lie on top.
        top: 1.0 is the upper edge.
        zorder: what is drawn with more lies on top.
    """
    linewidth, alpha = _TRUTH_LINES[min(place, len(_TRUTH_LINES) - 1)]
    axes.vlines(
        level.boundaries,
        0,
        top,
        transform=axes.get_xaxis_transform(),
        colors=level.tint.line,
        linewidth=linewidth,
        # Thousands of lines would cover all that they are to be compared with.
        alpha=alpha * opacity(len(level.boundaries), linewidth, _TRUTH_SHARE),
        zorder=zorder - 0.01 * place,
        label=level.name,
    )


def _draw_found_boundaries(axes: Axes, hierarchy: Hierarchy, level: int) -> None:
    """Draws marks at the foot of a panel."""
    times = hierarchy.boundaries(level)
    axes.vlines(
        times,
        0,
        _RUG,
        transform=axes.get_xaxis_transform(),
        colors=found_tint(level).line,
        linewidth=_MARK_PT,
        alpha=opacity(len(times), _MARK_PT, _MARKS_SHARE),
        zorder=5,
        label="found boundary",
    )


def _draw_signal(axes: Axes, signals: pa.Table, tint: Tint) -> None:
    """Draws the signal of one level, above the foot of the panel that is left to the marks."""
    times, values = signals["time_s"].to_numpy(), signals["signal"].to_numpy().astype(np.float64)
    finite = np.isfinite(values)
    times, values = times[finite], values[finite]
    if not values.size:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no signal", transform=axes.transAxes, color=QUIET, ha="center", va="center")
        return
    low, high = values.min(), values.max()
    space = max(high - low, 1e-3 * abs(high), 1e-9)
    axes.set_ylim(low - space * (_RUG + _MARGIN), high + space * _MARGIN)
    if values.size > _POINTS_PER_COLUMN * COLUMNS:
        times, least, values, most = _per_column(times, values)
        axes.fill_between(times, least, most, color=tint.area, linewidth=0, zorder=2)
    marker = "." if values.size < COLUMNS / _COLUMNS_PER_MARKER else ""
    axes.plot(times, values, color=tint.line, linewidth=1.0, marker=marker, markersize=5, zorder=4)


def _per_column(
    times: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Condenses an ascending series [n] to mean time, minimum, mean and maximum of runs, [COLUMNS] each."""
    starts = np.arange(COLUMNS) * len(times) // COLUMNS
    lengths = np.diff(starts, append=len(times))
    least, most = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return np.add.reduceat(times, starts) / lengths, least, np.add.reduceat(values, starts) / lengths, most


def _draw_legend(figure: Figure, annotated: Sequence[AnnotatedLevel], signal_text: str) -> None:
    mark = Line2D([], [], color=INK, marker="|", markersize=9, markeredgewidth=_MARK_PT, linestyle="none")
    entries = [(signal_text, Line2D([], [], color=INK, linewidth=1.0)), ("found boundary", mark)]
    width_px = (WIDTH_IN - LEFT_IN) * DPI / _LEGEND_COLUMNS - _HANDLE_PX
    for place, level in enumerate(annotated):
        linewidth, _ = _TRUTH_LINES[min(place, len(_TRUTH_LINES) - 1)]
        name = fitting_text(f"annotated: {level.name}", width_px, NOTE_PT)
        entries.append((name, Line2D([], [], color=level.tint.line, linewidth=linewidth)))
    names, handles = zip(*entries, strict=True)
    legend = figure.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(LEFT_IN / WIDTH_IN, 1 - (HEAD_IN - 0.06) / figure.get_figheight()),
        borderpad=0,
        borderaxespad=0,
        ncols=_LEGEND_COLUMNS,
        fontsize=NOTE_PT,
        frameon=False,
        labelcolor=INK,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
