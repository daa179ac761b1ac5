"""From measurements to tables: the arithmetic."""

import math
from dataclasses import replace

import pytest

from benchmarks.clock import Cost
from benchmarks.comparison import Comparison, floor_rows, speed_rows, stage_rows
from benchmarks.floor import ANY_LANES, DECODER, ENCODER, Best
from benchmarks.subject import Subject
from benchmarks.window import Window
from tests.benchmarks.subjects import tiny_model

FRAMES = tiny_model("frames", optimize_every=5)
PLAIN = Subject(FRAMES, "stream", True, 0, "float32", 10, "cpu", 1)
EIGHT = replace(PLAIN, lanes=8)
LENGTHS = {("p", 2): {3: 4}}
PARTS = [(name, level) for level in range(3) for name in ("f", "p")]


def learned(
    snippets: int, whole_s: float, step_s: float, steps: int = 1, before: float | None = None
) -> Window:
    """CPU seconds are twice those of the wall."""
    whole, step = Cost(whole_s, 2 * whole_s), Cost(step_s, 2 * step_s)
    return Window(snippets, whole, steps, step, 300.0, before, LENGTHS)


def observed(snippets: int, whole_s: float) -> Window:
    return Window(snippets, Cost(whole_s, whole_s), 0, Cost(), 300.0, None, LENGTHS)


def compared(plain: list[Window], eight: list[Window], ms: float = 10.0) -> Comparison:
    """Each part of the floor takes so many milliseconds."""
    comparison = Comparison(FRAMES)
    comparison.windows[PLAIN] = plain
    comparison.windows[EIGHT] = eight
    keys = [(ANY_LANES, ENCODER), (ANY_LANES, DECODER), *((8, part) for part in PARTS)]
    comparison.floors["float32"] = [{key: Best(16, Cost(ms / 1000, 1.0)) for key in keys}]
    return comparison


def test_ratios_count_steps_as_often_for_both():
    # Plain: 10 s without the step over 10 snippets, and a step of 2 s; the engine: 8 s over 40, and 4 s.
    plain, engine = speed_rows(compared([learned(10, 12.0, 2.0)], [learned(40, 12.0, 4.0)]))
    assert engine["ms"] == pytest.approx(1000 * (8 / 40 + 4 / 40))
    assert plain["ms"] == pytest.approx(1000 * (10 / 10 + 2 / 40))
    assert engine["to plain"] == pytest.approx(1.05 / 0.3)
    assert engine["by CPU"] == pytest.approx(1.05 / 0.3)
    assert engine["snippets/s"] == pytest.approx(1 / 0.3)
    assert engine["in steps"] == pytest.approx((4 / 40) / 0.3)
    assert engine["step every"] == 40
    assert plain["to plain"] == pytest.approx(1)


def test_the_share_of_the_floor_is_that_of_the_whole_time():
    _, engine = speed_rows(compared([learned(10, 12.0, 2.0)], [learned(40, 12.0, 4.0)]))
    assert engine["of floor"] == pytest.approx(8 * 10 / 300)  # eight networks


def test_medians_are_taken_over_repetitions():
    windows = [observed(10, seconds) for seconds in (1.0, 9.0, 2.0)]
    plain, engine = speed_rows(compared([observed(10, 8.0)] * 3, windows))
    assert engine["ms"] == pytest.approx(200)
    assert engine["wall_s"] == pytest.approx([0.1, 0.9, 0.2])
    assert engine["to plain"] == pytest.approx(4)
    assert (engine["step ms"], engine["in steps"], engine["step every"]) == (None, None, None)
    assert plain["ms"] == pytest.approx(800)


def test_the_first_step_which_takes_memory_is_left_out_where_there_are_others():
    windows = [learned(10, 100.0, 99.0), learned(10, 2.0, 1.0)]
    _, engine = speed_rows(compared([learned(10, 12.0, 2.0)], windows))
    assert engine["step ms"] == pytest.approx(1000)
    assert engine["wall_s"] == pytest.approx([0.2] * 2)
    _, engine = speed_rows(compared([learned(10, 12.0, 2.0)], windows[:1]))
    assert engine["step ms"] == pytest.approx(99_000)


def test_several_steps_in_a_window_are_taken_one_by_one():
    _, engine = speed_rows(compared([learned(10, 12.0, 2.0)], [learned(40, 12.0, 4.0, steps=4)]))
    assert engine["step ms"] == pytest.approx(1000)
    assert engine["step every"] == 10
    assert engine["ms"] == pytest.approx(1000 * 12 / 40)


def test_steps_of_the_configuration_itself_come_so_seldom():
    # Four predictions of the highest level in 40 snippets; five of its losses per lane bring a step.
    _, engine = speed_rows(compared([learned(10, 12.0, 2.0)], [learned(40, 12.0, 4.0)]))
    assert engine["due after"] == pytest.approx(10 * 5 * 8)


def test_memory_is_told_before_the_first_step_and_at_its_most():
    windows = [learned(10, 2.0, 1.0, before=100.0), replace(learned(10, 2.0, 1.0), peak_mb=400.0)]
    _, engine = speed_rows(compared([learned(10, 12.0, 2.0)], windows))
    assert (engine["MB before"], engine["MB"]) == (100.0, 400.0)


def test_the_floor_names_every_network_and_its_sum():
    comparison = compared([observed(10, 8.0)], [observed(10, 8.0)])
    slower = {key: Best(32, Cost(0.05, 1.0)) for key in comparison.floors["float32"][0]}
    comparison.floors["float32"] += [slower, slower]
    rows = floor_rows(comparison)
    assert [row["network"] for row in rows] == [
        "frame encoder", "frame decoder",
        "f of level 0", "p of level 0", "f of level 1", "p of level 1", "f of level 2", "p of level 2",
        "sum",
    ]  # fmt: skip
    assert [row["8 lanes"] for row in rows] == pytest.approx([50.0] * 8 + [400.0])
    assert comparison.best_batches("float32") == {key: [16] for key in slower}


def test_stages_without_any_time_are_left_out():
    rows = stage_rows({1: {"a": 0.001, "b": 0.0, "c": 0.0}, 8: {"a": 0.002, "b": 0.0, "c": 0.003}})
    assert [row["stage"] for row in rows] == ["a", "c", "sum"]
    assert [row["8 lanes"] for row in rows] == pytest.approx([2, 3, 5])
    assert math.isclose(rows[-1]["1 lane"], 1)
