"""What the figures share: their colours, their layout in inches, the time axis, and texts from outside.

What the model found is drawn in cool colours, what people annotated in warm ones. Texts that come from
outside (ids, level names, labels) are drawn as they are, never as mathtext.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter

from pipelines.annotations import clip_to_duration
from streamer.hierarchy import Hierarchy
from streamer.metrics import LabelledSegment

DPI = 100
WIDTH_IN = 14.0
LEFT_IN, RIGHT_IN, BOTTOM_IN = 1.95, 0.35, 0.62
HEAD_IN = 0.66
COLUMNS = round((WIDTH_IN - LEFT_IN - RIGHT_IN) * DPI)
"""Width of the time axis in pixels."""

INK, QUIET, GRID, PAPER, EMPTY = "#2b2f36", "#747c86", "#d5d8dc", "#ffffff", "#f4f4f2"
LABEL_PT, NAME_PT, NOTE_PT, TITLE_PT = 8.5, 10.0, 8.5, 13.0

_LONGEST_TEXT = 200
_NAME_MARGIN_PX = 8
_FEWEST_LETTERS = 6  # a label of which fewer would fit is left out
_MAX_TICKS = 14
_STEPS_S = (
    *(base * 10.0**exponent for exponent in (-3, -2, -1) for base in (1, 2, 5)),
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200),
)
_DAY_S = 86400


@dataclass(frozen=True)
class Tint:
    """A light colour for areas and a dark one of the same hue for lines."""

    area: str
    line: str


_FOUND = (
    Tint("#9fbbdd", "#2f629e"),
    Tint("#97cabf", "#23796a"),
    Tint("#bdb2de", "#6250a6"),
    Tint("#a8bfcb", "#456577"),
)
_ANNOTATED = (
    Tint("#eab0a2", "#b64b39"),
    Tint("#f2cd95", "#bd7d12"),
    Tint("#dfb9cb", "#a04a74"),
    Tint("#dccfa8", "#85713a"),
)


@dataclass(frozen=True)
class AnnotatedLevel:
    """One level of the annotations of a video.

    Attributes:
        name: the level's name.
        tint: its colours.
        events: (start, end, label) in seconds, inside the video.
        boundaries: seconds inside the video at which one of them starts or ends, ascending, none twice.
    """

    name: str
    tint: Tint
    events: Sequence[LabelledSegment]
    boundaries: Sequence[float]


def annotated_levels(
    truth: Mapping[str, Sequence[LabelledSegment]], duration_s: float
) -> list[AnnotatedLevel]:
    """Returns the levels of a truth, those with the longest events first.

    Args:
        truth: per level, (start, end, label) in seconds, in any order.
        duration_s: the length of the video; what lies behind it is cut off.
    """
    inside = {name: clip_to_duration(events, duration_s)[0] for name, events in truth.items()}
    ordered = sorted(inside, key=lambda name: _mean_length(inside[name]), reverse=True)
    return [
        AnnotatedLevel(
            name, _ANNOTATED[place % len(_ANNOTATED)], inside[name], _edges(inside[name], duration_s)
        )
        for place, name in enumerate(ordered)
    ]


def found_tint(level: int) -> Tint:
    """Returns the colours of a level of the hierarchy."""
    return _FOUND[level % len(_FOUND)]


def opacity(lines: int, linewidth_pt: float, share: float) -> float:
    """Returns an opacity at which so many lines hide no more than a share of the axes' area."""
    return min(1.0, share * COLUMNS / max(1.0, lines * linewidth_pt * DPI / 72))


def new_figure(height_in: float) -> Figure:
    """Returns an empty figure of the common width."""
    return Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor=PAPER)


def new_axes(figure: Figure, top_in: float, height_in: float, duration_s: float) -> Axes:
    """Adds axes that span the common time axis, `top_in` inches below the figure's upper edge."""
    total = figure.get_figheight()
    bottom = 1 - (top_in + height_in) / total
    width = (WIDTH_IN - LEFT_IN - RIGHT_IN) / WIDTH_IN
    axes = figure.add_axes((LEFT_IN / WIDTH_IN, bottom, width, height_in / total), facecolor=PAPER)
    axes.set_xlim(0, duration_s)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(colors=QUIET, labelsize=NOTE_PT)
    return axes


def draw_time_axis(axes: Axes, duration_s: float, *, labelled: bool = True) -> None:
    """Puts ticks at round times below the axes; `labelled` ones carry m:ss, or h:mm:ss from an hour on."""
    step = time_step(duration_s)
    axes.xaxis.set_major_locator(FixedLocator([i * step for i in range(math.floor(duration_s / step) + 1)]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time_s, _: clock(time_s, step, duration_s)))
    if labelled:
        axes.set_xlabel(
            "time (h:mm:ss)" if duration_s >= 3600 else "time (m:ss)", color=QUIET, fontsize=NOTE_PT
        )
    else:
        axes.tick_params(labelbottom=False)


def time_step(duration_s: float) -> float:
    """Returns the seconds between two ticks of an axis of that length."""
    days = math.ceil(duration_s / (_MAX_TICKS * _DAY_S)) * _DAY_S
    return next((step for step in _STEPS_S if step * _MAX_TICKS >= duration_s), days)


def clock(time_s: float, step_s: float, longest_s: float) -> str:
    """Writes a time as m:ss, or h:mm:ss beside times of an hour or more, with the decimals of the step."""
    decimals = max(0, -math.floor(math.log10(step_s)))
    units = round(time_s * 10**decimals)
    seconds, fraction = divmod(units, 10**decimals)
    minutes, seconds = divmod(seconds, 60)
    tail = f".{fraction:0{decimals}d}" if decimals else ""
    if longest_s < 3600:
        return f"{minutes}:{seconds:02d}{tail}"
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}{tail}"


def write_title(figure: Figure, hierarchy: Hierarchy) -> None:
    """Writes the video's id and facts at the upper left."""
    total = figure.get_figheight()
    duration_s = hierarchy.duration_s
    place = {"va": "top", "ha": "left", "parse_math": False}
    width_in = WIDTH_IN - 2 * RIGHT_IN
    title = fitting_text(hierarchy.video_id, width_in * DPI, TITLE_PT)
    length = clock(duration_s, 0.1 if duration_s < 60 else 1, duration_s)
    facts = f"{length} long, {hierarchy.snippets} snippets of {hierarchy.snippet_size:g} s"
    x = RIGHT_IN / WIDTH_IN
    figure.text(x, 1 - 0.13 / total, title, fontsize=TITLE_PT, color=INK, **place)
    figure.text(x, 1 - 0.38 / total, facts, fontsize=NOTE_PT, color=QUIET, **place)


def write_name(axes: Axes, y: float, name: str, note: str) -> None:
    """Writes a name, and a note below it, at the left of the axes, at height `y` of its data."""
    texts = ((name, NAME_PT, INK, 1, "bottom"), (note, NOTE_PT, QUIET, -1, "top"))
    for text, size, color, offset, side in texts:
        axes.annotate(
            fitting_text(text, (LEFT_IN - RIGHT_IN) * DPI - _NAME_MARGIN_PX, size),
            (0, y),
            xycoords=("axes fraction", "data"),
            xytext=((RIGHT_IN - LEFT_IN) * 72, offset),
            textcoords="offset points",
            fontsize=size,
            color=color,
            ha="left",
            va=side,
            parse_math=False,
        )


def plain_text(text: str) -> str:
    """Returns a text on one line, without control characters and lone surrogates, at most 200 letters."""
    visible = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * _LONGEST_TEXT])
    return " ".join(visible.split())[:_LONGEST_TEXT]


def fitting_text(text: str, width_px: float, size_pt: float) -> str:
    """Returns the plain text, cut with an ellipsis to a width; "" where too little of it would be left."""
    text = plain_text(text)
    needed = _text_width(text, size_pt)
    if needed <= width_px:
        return text
    letters = min(len(text) - 1, math.ceil(len(text) * width_px / needed))
    while letters >= _FEWEST_LETTERS:
        cut = text[:letters].rstrip() + "…"
        if _text_width(cut, size_pt) <= width_px:
            return cut
        letters -= 1
    return ""


@contextmanager
def missing_glyphs_allowed() -> Iterator[None]:
    """Draws letters that the font lacks as boxes without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _text_width(text: str, size_pt: float) -> float:
    """Returns the width in pixels of a figure of the common resolution."""
    if not text:
        return 0.0
    with missing_glyphs_allowed():
        width_pt, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size_pt), False)
    return width_pt * DPI / 72


def _mean_length(events: Sequence[LabelledSegment]) -> float:
    return sum(end - start for start, end, _ in events) / len(events) if events else 0.0


def _edges(events: Sequence[LabelledSegment], duration_s: float) -> list[float]:
    edges = {time for start, end, _ in events for time in (start, end)}
    return sorted(time for time in edges if 0 < time < duration_s)
