"""The comparison as a reader meets it: Markdown and tables of a terminal."""

import re

import pytest
from rich.console import Console

from pipelines.comparison.columns import shared_scores
from pipelines.comparison.page import comparison_page, number, rows_of, signed, title_of
from pipelines.comparison.settings import Difference, differing_inputs, differing_settings
from pipelines.comparison.statistics import compare_columns
from pipelines.comparison.tables import render_comparison, render_settings
from tests.pipelines.comparison.scored_runs import (
    VIDEOS,
    annotated,
    floors,
    opened,
    rows,
    scored_run,
    simple_run,
)

HOSTILE = "[/red]|<b>`x`</b>|*"


def page_of(*folders) -> str:
    runs = opened(*folders)
    shared = shared_scores(runs)
    figures = compare_columns(shared, (), seed=0)
    return comparison_page(figures, shared, runs, differing_settings(runs), differing_inputs(runs))


def screen_of(*folders, width=110) -> str:
    shared = shared_scores(opened(*folders))
    console = Console(width=width)
    with console.capture() as capture:
        console.print(render_comparison(compare_columns(shared, (), seed=0), shared, width))
    return capture.get()


def table(page: str, first: str) -> list[list[str]]:
    """Cells of the Markdown table whose first heading begins so."""
    lines = page.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(f"| {first}"))
    found = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def constant(tmp_path, name, value: float, *more, metric="hlr_iou"):
    return scored_run(
        tmp_path / name, [*annotated(), *rows(dict.fromkeys(VIDEOS, value), metric), *floors(), *more]
    )


def test_scores_stand_with_their_intervals_beside_the_floors(tmp_path):
    page = page_of(constant(tmp_path, "a", 0.25), constant(tmp_path, "b", 0.75))
    header, _, row = table(page, "metric")
    assert header[:4] == ["metric", "`a`", "`b`", "floor `fixed_period`"]
    assert row[:3] == ["`hlr_iou`", "0.250 [0.250, 0.250]", "0.750 [0.750, 0.750]"]
    assert re.fullmatch(r"0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", row[3])
    assert len(row) == len(header) == 7


def test_differences_tell_who_won_and_are_bold_where_they_are_clear(tmp_path):
    page = page_of(
        constant(tmp_path, "a", 0.25), constant(tmp_path, "b", 0.75), constant(tmp_path, "c", 0.25)
    )
    header, _, row = table(page, "difference to `a`")
    assert header[1:4] == ["`b`", "`c`", "floor `fixed_period`"]
    assert row[1:3] == ["**+0.500 [+0.500, +0.500]** 8/0/0", "+0.000 [+0.000, +0.000] 0/0/8"]


def test_pooled_values_stand_below_the_means_where_papers_pool(tmp_path):
    shares = [*rows(dict.fromkeys(VIDEOS, 0.5), "frame_accuracy", denominator=4.0)]
    shares += rows(dict.fromkeys(VIDEOS, 0.5), "hlr_mof", denominator=4.0)
    page = page_of(constant(tmp_path, "a", 0.25, *shares), constant(tmp_path, "b", 0.75, *shares))
    assert [row[0] for row in table(page, "metric")[2:]] == [
        "`hlr_iou`",
        "`hlr_mof`",
        "`frame_accuracy`",
        "`frame_accuracy`, pooled",
    ]


def test_the_page_tells_what_else_differs_and_what_does_not_count(tmp_path):
    a = simple_run(tmp_path / "a", 0, VIDEOS[:7], config={"lanes": 1})
    b = simple_run(tmp_path / "b", 1, config={"lanes": 4})
    page = page_of(a, b)
    assert table(page, "setting")[2:] == [["`lanes`", "`1`", "`4`"]]
    assert "- b: 1 scored video left out, not in all runs: v7" in page
    assert "- b: 1 input that not all runs have: v7" in page
    runs = table(page, "run")[2:]
    assert [row[0] for row in runs] == ["`a`", "`b`"]
    assert runs[0][1:] == ["`streamer`", f"`{a.root}`", "`abc123`", "reference"]


def test_names_from_outside_stay_text(tmp_path):
    videos = [f"{HOSTILE}{number}" for number in range(3)]
    folders = [
        scored_run(
            tmp_path / name,
            [
                *annotated(videos, truth_level=HOSTILE),
                *rows(dict.fromkeys(videos[: 2 + place], 0.5), truth_level=HOSTILE),
            ],
            videos=videos,
            config={"note": "a|b`c\nd"},
        )
        for place, name in enumerate(("a[b]", "c|d"))
    ]
    page = page_of(*folders)
    assert "## Annotated level ``[/red]\\|<b>`x`</b>\\|*``, 2 videos" in page
    assert "\\[/red\\]\\|\\<b\\>\\`x\\`\\</b\\>\\|\\*2" in page
    assert [len(row) for row in table(page, "run")] == [5, 5, 5, 5]
    screen = screen_of(*folders)
    assert f"{HOSTILE!r}" in screen
    assert "a[b]" in screen
    assert "c|d less a[b]" in screen


def test_a_terminal_shows_scores_and_differences(tmp_path):
    f1 = "boundary_f1@0.5s"
    low, high = (rows(dict.fromkeys(VIDEOS, value), f1, level=2) for value in (0.5, 0.625))
    screen = screen_of(constant(tmp_path, "a", 0.25, *low), constant(tmp_path, "b", 0.75, *high))
    assert max(map(len, screen.splitlines())) <= 110
    assert re.search(r"hlr_iou +0\.250 \[\.250, \.250\] +0\.750 \[\.750, \.750\] +0\.\d+", screen)
    assert re.search(r"boundary_f1@0\.5s +0\.500 \[\.500, \.500\] L2 +0\.625 \[\.625, \.625\] L2 +-", screen)
    assert re.search(r"hlr_iou +\+0\.500 \[\+\.500, \+\.500\] 8/0/0", screen)
    assert "b less a" in screen


@pytest.mark.parametrize("width", [60, 80, 110, 200])
def test_many_runs_go_on_below(tmp_path, width):
    folders = [simple_run(tmp_path / f"run{number}", number) for number in range(7)]
    screen = screen_of(*folders, width=width)
    for place in range(1, 7):
        assert screen.count(f"run{place} less run0") == 1
    found = re.findall(r"^ *hlr_iou.*?$", screen, re.MULTILINE)
    assert len(re.findall(r"(?<![+-])0\.\d{3} \[", "\n".join(found))) == 7
    assert all(floor in screen for floor in ("dyadic", "uniform", "random", "fixed"))


def test_settings_are_cut_for_the_terminal_alone():
    console = Console(width=110)
    rows_ = [Difference(f"key{number}", ("x" * 200, "y")) for number in range(25)]
    with console.capture() as capture:
        console.print(render_settings(rows_, ["a", "b"]))
        console.print(render_settings([], ["a", "b"]))
    assert "and 5 more in comparison.md" in capture.get()
    assert "x" * 41 not in capture.get()
    assert "All settings are the same." in capture.get()


def test_a_row_without_any_value_is_left_out(tmp_path):
    nothing = rows(dict.fromkeys(VIDEOS, float("nan")), "hlr_mof")
    folders = [constant(tmp_path, name, 0.5, *nothing) for name in "ab"]
    figures = compare_columns(shared_scores(opened(*folders)), (), seed=0)
    assert [title_of(row) for row in rows_of(figures, "scene")] == ["hlr_iou"]
    assert {figure.metric for figure in figures} == {"hlr_iou", "hlr_mof"}, "the file has it"


def test_undefined_values_are_told(tmp_path):
    some = dict.fromkeys(VIDEOS, 0.5) | {"v3": float("nan")}
    b = scored_run(tmp_path / "b", [*annotated(), *rows(some), *floors()])
    assert (
        table(page_of(constant(tmp_path, "a", 0.5), b), "metric")[2][2]
        == "0.500 [0.500, 0.500] (1 undefined)"
    )


@pytest.mark.parametrize(
    ("value", "metric", "plain", "with_sign"),
    [
        (0.12345, "hlr_iou", "0.123", "+0.123"),
        (-0.12345, "hlr_iou", "-0.123", "-0.123"),
        (12.34, "events", "12.3", "+12.3"),
        (float("nan"), "events", "-", "-"),
    ],
)
def test_numbers(value, metric, plain, with_sign):
    assert (number(value, metric), signed(value, metric)) == (plain, with_sign)
