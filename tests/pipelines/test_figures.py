"""What the figures of a video show, and that nothing from outside can break them."""

import warnings
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.image import imread

from pipelines.drawing import clock, fitting_text, plain_text, time_step
from pipelines.figures import save, signal_figure, timeline_figure
from pipelines.store import SIGNALS_SCHEMA
from pipelines.strips import assign_rows
from streamer.hierarchy import Event, Hierarchy
from tests.levels import close_levels

TRUTH = {
    "motion": [(0.0, 2.5, "chop"), (2.5, 6.0, "stir"), (6.0, 20.0, "pour")],
    "scene": [(0.0, 6.0, "kitchen"), (6.0, 20.0, "garden")],
}
THREE_LEVELS = [[0, 2, 5, 6, 9, 12], [0, 2, 6, 12], [0, 6]]
HOSTILE = [
    "$x^2$",
    r"$\frac{",
    "100% _$",
    "日本語 🎬 عربى",
    "\ud800",
    "\x00\n\r\t",
    "\u202eabc",
    "",
    "_",
    "a" * 10_000,
]


def make_hierarchy(starts=THREE_LEVELS, duration_s=20.0, video_id="cooking"):
    levels = [[Event(*segment) for segment in level] for level in close_levels(starts, duration_s)]
    return Hierarchy(video_id, duration_s, 0.5, levels, round(duration_s / 0.5))


def make_signals(values):
    """A table from (level, time, signal, boundary)."""
    rows = [("cooking", level, round(time / 0.5), time, value, end) for level, time, value, end in values]
    return pa.Table.from_pylist(
        [dict(zip(SIGNALS_SCHEMA.names, row, strict=True)) for row in rows], schema=SIGNALS_SCHEMA
    )


def boxes(figure, name):
    """(start, end, top) of every box of a strip."""
    (axes,) = figure.axes
    (strip,) = [c for c in axes.collections if isinstance(c, PolyCollection) and c.get_label() == name]
    extents = [path.get_extents() for path in strip.get_paths()]
    return [(box.x0, box.x1, box.y0) for box in extents]


def lines(axes, name):
    """Times of the vertical lines of that name."""
    drawn = [c for c in axes.collections if isinstance(c, LineCollection) and c.get_label() == name]
    return [segment[0][0] for collection in drawn for segment in collection.get_segments()]


def curve(axes):
    """(time, signal) of every point of the drawn signal."""
    (line,) = axes.lines
    return np.asarray(line.get_xydata())


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [
        text.get_text() for text in figure.texts
    ]


def tick_labels(axes):
    return [label.get_text() for label in axes.get_xticklabels()]


def test_every_event_of_every_level_has_a_box_at_its_time():
    hierarchy = make_hierarchy()
    figure = timeline_figure(hierarchy, {})
    for level in range(3):
        drawn = [(start, end) for start, end, _ in boxes(figure, f"level {level}")]
        np.testing.assert_allclose(drawn, hierarchy.segments(level), atol=20 / 1000)


def test_events_are_parted_by_a_gap():
    drawn = boxes(timeline_figure(make_hierarchy(), {}), "level 0")
    assert all(end < following for (_, end, _), (following, _, _) in pairwise(drawn))


def test_coarse_levels_are_above_fine_ones_and_the_truth_above_all():
    figure = timeline_figure(make_hierarchy(), TRUTH)
    names = ["scene", "motion", "level 2", "level 1", "level 0"]
    tops = [boxes(figure, name)[0][2] for name in names]
    assert tops == sorted(tops)
    assert figure.axes[0].yaxis_inverted()


def test_time_axis_is_the_duration_and_says_minutes_and_seconds():
    (axes,) = timeline_figure(make_hierarchy([[0]], duration_s=93.4), {}).axes
    assert axes.get_xlim() == (0, 93.4)
    assert tick_labels(axes) == [f"{t // 60}:{t % 60:02d}" for t in range(0, 94, 10)]


def test_truth_boundaries_run_through_the_strips_of_the_hierarchy():
    figure = timeline_figure(make_hierarchy(), TRUTH)
    (axes,) = figure.axes
    assert lines(axes, "motion") == [2.5, 6.0]
    assert lines(axes, "scene") == [6.0]
    assert not lines(timeline_figure(make_hierarchy(), {}).axes[0], "motion")


def test_truth_boundaries_hide_no_gap_between_events():
    (axes,) = timeline_figure(make_hierarchy(), TRUTH).axes
    order = {drawn.get_label(): drawn.get_zorder() for drawn in axes.collections}
    assert max(order["scene"], order["motion"]) < min(order["level 0"], order["level 1"], order["level 2"])


def test_labels_stand_where_they_fit():
    truth = {"motion": [(0.0, 9.9, "a long one"), (9.9, 10.0, "a short one"), (10.0, 20.0, "x" * 199)]}
    shown = texts(timeline_figure(make_hierarchy(), truth))
    assert "a long one" in shown
    assert not any(text.startswith("a s") for text in shown)
    assert any(text.startswith("xxx") and text.endswith("…") for text in shown)


def test_truth_behind_the_end_is_not_drawn():
    truth = {"motion": [(0.0, 25.0, "cut"), (30.0, 40.0, "beyond")]}
    figure = timeline_figure(make_hierarchy(), truth)
    assert boxes(figure, "motion") == [pytest.approx((0, 20, 0), abs=0.05)]
    assert "beyond" not in texts(figure)


def test_overlapping_annotations_are_stacked():
    truth = {"actions": [(0.0, 10.0, "a"), (5.0, 15.0, "b"), (10.0, 20.0, "c")]}
    (_, _, first), (_, _, second), (_, _, third) = boxes(timeline_figure(make_hierarchy(), truth), "actions")
    assert second > first
    assert third == first


def test_ten_thousand_events_are_all_drawn_and_stay_visible():
    starts = (np.arange(10_000) * 0.5).tolist()
    truth = {"step": [(start, start + 0.5, f"step {start}") for start in starts]}
    figure = timeline_figure(make_hierarchy([starts], duration_s=5000.0), truth)
    assert len(boxes(figure, "level 0")) == len(boxes(figure, "step")) == 10_000
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    (axes,) = figure.axes
    top, bottom = boxes(figure, "level 0")[0][2], axes.get_ylim()[0]
    x, y = axes.transData.transform((2500.0, (top + bottom) / 2))
    red, _, blue = image[image.shape[0] - round(y), round(x)]
    assert blue > red  # blue boxes, neither white gaps nor the lines of the truth


def test_an_annotated_level_without_events_keeps_its_strip():
    assert "annotated, 0 events" in texts(timeline_figure(make_hierarchy(), {"scene": []}))


def test_one_event(tmp_path):
    hierarchy = make_hierarchy([[0]], duration_s=0.5)
    assert len(boxes(timeline_figure(hierarchy, {}), "level 0")) == 1
    figure = signal_figure(hierarchy, SIGNALS_SCHEMA.empty_table(), {}, signal_name="similarity")
    assert "no signal" in texts(figure)
    save(figure, tmp_path / "one.png")


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_from_outside_are_drawn_as_they_are(tmp_path, text):
    hierarchy = make_hierarchy(video_id=text)
    truth = {text: [(0.0, 20.0, text)]}
    signals = make_signals([(0, 0.5, 0.9, False)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        timeline = timeline_figure(hierarchy, truth)
        save(timeline, tmp_path / "timeline.png")
        signal = signal_figure(hierarchy, signals, truth, signal_name="error")
        save(signal, tmp_path / "signal.png")
    drawn = [*timeline.axes[0].texts, *timeline.texts, *signal.legends[0].get_texts()]
    assert not any(item.get_parse_math() for item in drawn)
    if text.isascii() and text.isprintable() and 0 < len(text) < 10:
        assert texts(timeline).count(text) == 3  # title, name of the level, label


def test_saved_figures_are_1400_pixels_wide_and_nothing_else_is_left(tmp_path):
    save(timeline_figure(make_hierarchy(), TRUTH), tmp_path / "timeline.png")
    assert imread(tmp_path / "timeline.png").shape[1] == 1400
    assert [path.name for path in tmp_path.iterdir()] == ["timeline.png"]


def test_signals_are_drawn_in_the_panel_of_their_level():
    signals = make_signals(
        [(0, 0.5, 0.9, False), (0, 1.0, 0.4, True), (0, 1.5, 0.8, False), (1, 1.0, 0.7, True)]
    )
    figure = signal_figure(make_hierarchy(), signals, TRUTH, signal_name="similarity")
    top, middle, bottom = figure.axes
    assert not top.lines
    np.testing.assert_allclose(curve(middle), [[1.0, 0.7]], rtol=1e-6)
    np.testing.assert_allclose(curve(bottom), [[0.5, 0.9], [1.0, 0.4], [1.5, 0.8]], rtol=1e-6)
    assert [axes.get_ylabel() for axes in figure.axes] == ["similarity"] * 3
    assert all(axes.get_xlim() == (0, 20) for axes in figure.axes)


def test_panels_show_found_and_annotated_boundaries():
    hierarchy = make_hierarchy()
    figure = signal_figure(hierarchy, SIGNALS_SCHEMA.empty_table(), TRUTH, signal_name="error")
    for level, axes in enumerate(reversed(figure.axes)):
        assert lines(axes, "found boundary") == hierarchy.boundaries(level).tolist()
        assert lines(axes, "motion") == [2.5, 6.0]
        assert lines(axes, "scene") == [6.0]
    (legend,) = figure.legends
    shown = {text.get_text() for text in legend.get_texts()}
    assert shown == {"error", "found boundary", "annotated: scene", "annotated: motion"}


def test_values_that_are_not_finite_are_left_out(tmp_path):
    values = [(0, 0.5, float("nan"), False), (0, 1.0, float("inf"), False), (0, 1.5, 0.5, False)]
    figure = signal_figure(make_hierarchy([[0]]), make_signals(values), {}, signal_name="error")
    assert curve(figure.axes[0]).tolist() == [[1.5, 0.5]]
    save(figure, tmp_path / "signal.png")


def test_long_signals_are_condensed_without_losing_their_extremes():
    values = np.full(20_000, 0.5, dtype=np.float32)
    values[7000], values[13_001] = 0.0, 1.0
    times = np.arange(20_000) * 0.5
    columns = [["v"] * 20_000, [0] * 20_000, range(20_000), times, values, [False] * 20_000]
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, SIGNALS_SCHEMA, strict=True)]
    signals = pa.Table.from_arrays(arrays, schema=SIGNALS_SCHEMA)
    figure = signal_figure(make_hierarchy([[0]], 10_000.0), signals, {}, signal_name="error")
    (axes,) = figure.axes
    assert len(curve(axes)) < 1400
    (band,) = [c for c in axes.collections if isinstance(c, PolyCollection)]
    corners = np.asarray(band.get_paths()[0].vertices)
    assert corners[corners[:, 1].argmin()] == pytest.approx([3500, 0], abs=10)
    assert corners[corners[:, 1].argmax()] == pytest.approx([6500.5, 1], abs=10)


segments = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 20)).map(lambda pair: (pair[0], pair[0] + pair[1], "")),
    max_size=30,
)


@given(segments)
def test_rows_are_as_many_as_events_at_one_time_up_to_a_limit(events):
    rows = assign_rows(events, tolerance_s=0.0)
    crowd = max((sum(s <= t < e for s, e, _ in events) for t in range(60)), default=0)
    assert len(set(rows)) == min(crowd, 6)
    if crowd <= 6:
        placed = sorted((row, start, end) for row, (start, end, _) in zip(rows, events, strict=True))
        for (row, _, end), (other, start, _) in pairwise(placed):
            assert row != other or end <= start


def test_overlaps_too_short_to_be_seen_need_no_row():
    assert assign_rows([(0.0, 5.01, "a"), (5.0, 9.0, "b")], tolerance_s=0.02) == [0, 0]


@given(st.text(max_size=60), st.floats(0, 400))
def test_a_fitting_text_is_the_text_its_beginning_or_nothing(text, width_px):
    shown, plain = fitting_text(text, width_px, 9.0), plain_text(text)
    assert shown in ("", plain) or (shown.endswith("…") and plain.startswith(shown[:-1]))


@pytest.mark.parametrize(
    ("time_s", "step_s", "longest_s", "shown"),
    [
        (0, 5, 60, "0:00"),
        (59.9999999, 15, 100, "1:00"),
        (75, 15, 100, "1:15"),
        (0.30000000000000004, 0.1, 1, "0:00.3"),
        (0.02, 0.02, 0.2, "0:00.02"),
        (75, 15, 3600, "0:01:15"),
        (90_061, 3600, 100_000, "25:01:01"),
    ],
)
def test_clock(time_s, step_s, longest_s, shown):
    assert clock(time_s, step_s, longest_s) == shown


@given(st.floats(0.02, 1e8))
def test_time_axis_has_a_readable_number_of_ticks(duration_s):
    assert duration_s / time_step(duration_s) <= 14.000001
    assert time_step(duration_s) < duration_s or duration_s > 1e6
