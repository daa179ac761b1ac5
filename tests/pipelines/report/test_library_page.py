"""The library page, in a browser: rows, order, search, scores, colours that can be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.report.conftest import Open
from tests.pipelines.report.material import HOSTILE


def names(page: Any) -> list[str]:
    """Names of the videos whose rows are in the page."""
    return page.locator("#rows .id").all_inner_texts()


def headings(page: Any) -> list[str]:
    return page.locator("thead th").all_inner_texts()


def sort_by(page: Any, name: str) -> None:
    page.locator("thead .sorter", has_text=re.compile(f"^{name}$")).click()


def test_all_inputs_are_listed_with_what_became_of_them(pets: Path, look: Open) -> None:
    page = look(pets)
    assert page.title() == page.inner_text("h1")
    assert names(page) == ["broken", "cats", "dogs", "gone", "late", "sound"]
    assert "cannot be opened; replace it" in page.locator("tr", has_text="broken").inner_text()
    assert page.locator("tr", has_text="sound").locator(".status").inner_text() == "skipped"
    cats = page.locator("tr[data-place]", has_text="cats").locator("td").all_inner_texts()
    assert cats[2:7] == ["0:12", "done", "12", "4", "2"]
    assert "6 videos, 36 s" in page.inner_text("#totals")


def test_scores_stand_beside_the_floors(pets: Path, look: Open) -> None:
    page = look(pets)
    assert page.locator(".dots tr th").all_inner_texts() == [
        "HLR IoU",
        "symmetric F1",
        "T full",
        "boundary F1 @ 0.5 s",
    ]
    line = page.locator(".dots tr", has_text="HLR IoU")
    assert line.locator("circle.own").count() == 1
    assert line.locator("circle.floor").count() == 1
    assert "0.325" in line.inner_text()  # the mean of 0.2 and 0.45
    assert "dyadic grid 0.225" in line.inner_text()
    cats = page.locator("tr[data-place]", has_text="cats")
    assert headings(page)[7:] == ["symmetric F1", "boundary F1 @ 0.5 s", "T full"]
    assert cats.locator("td").all_inner_texts()[7:] == ["0.200", "0.200", "0.200"]
    assert cats.locator("td").nth(8).locator(".bars i").count() == 3
    assert cats.locator("td").nth(8).locator(".bars i.best").count() == 1


def test_the_reader_chooses_which_scores_are_columns(scored: Path, look: Open) -> None:
    page = look(scored)
    assert page.locator("#truth option").all_inner_texts() == ["scene", "clip"]
    assert headings(page)[7:] == ["symmetric F1", "boundary F1 @ 0.5 s", "T full"]
    page.click("#metrics summary")
    choose = page.locator("#metrics")
    choose.get_by_label("T full", exact=True).uncheck()
    choose.get_by_label("precision @ 3 s", exact=True).check()
    choose.get_by_label("distance from annotated, s").check()
    assert headings(page)[7:] == [
        "symmetric F1",
        "boundary F1 @ 0.5 s",
        "precision @ 3 s",
        "distance from annotated, s",
    ]
    assert choose.get_by_label("HLR MoF").is_disabled(), "four columns are all that there is room for"
    choose.get_by_label("symmetric F1").uncheck()
    assert choose.get_by_label("HLR MoF").is_enabled()
    page.keyboard.press("Escape")
    assert not choose.get_by_label("HLR MoF").is_visible()
    page.select_option("#truth", "clip")
    assert headings(page)[7:] == ["boundary F1 @ 0.5 s", "precision @ 3 s", "distance from annotated, s"]
    sort_by(page, "precision @ 3 s")
    assert headings(page)[7:] == ["boundary F1 @ 0.5 s", "precision @ 3 s", "distance from annotated, s"]


def test_a_score_of_levels_is_that_of_the_level_that_is_best_over_all_videos(
    scored: Path, look: Open
) -> None:
    page = look(scored)
    for name, value in {"a": "1.000", "b": "0.400"}.items():
        cell = page.locator(f"tr[data-place]:has(a:text-is('{name}')) td").nth(8)
        assert cell.inner_text() == value
        assert cell.locator(".bars i").nth(1).get_attribute("class") == "best"


def test_a_row_leads_to_its_video(pets: Path, look: Open) -> None:
    page = look(pets)
    page.get_by_role("link", name="dogs").click()
    page.wait_for_function("() => document.title === 'dogs'")
    page.get_by_role("link", name="Library").click()
    page.wait_for_selector("#rows .id")
    page.locator("tr[data-place]", has_text="broken").click()
    assert page.url.endswith("index.html"), "there is nothing to see of a video that failed"
    page.locator("tr[data-place]", has_text="cats").locator(".status").click()
    page.wait_for_function("() => document.title === 'cats'")


def test_a_thousand_rows_are_sorted_searched_and_walked_through(large: Path, look: Open) -> None:
    page = look(large)
    assert "1,000 videos" in page.inner_text("#totals")
    assert names(page)[0] == "day-0000"
    assert len(names(page)) < 60, "only rows in sight are in the page"
    sort_by(page, "length")
    assert names(page)[0] == "whole-day"
    sort_by(page, "length")
    assert names(page)[0] == "short-00"
    sort_by(page, "symmetric F1")
    assert names(page)[0] == "short-19"
    sort_by(page, "symmetric F1")
    assert names(page)[:2] == ["short-00", "short-01"], "rows without a value come last either way"
    sort_by(page, "video")
    page.keyboard.press("/")
    page.keyboard.type("DAY- 97")
    page.wait_for_function("() => document.getElementById('count').textContent === '18 of 1,000 videos'")
    assert names(page)[0] == "day-0097"
    page.fill("#search", "no such thing")
    page.wait_for_selector("#empty:not(.hidden)")
    page.click("#clear")
    page.wait_for_selector("#empty", state="hidden")
    page.get_by_role("button", name="done").click()
    assert page.inner_text("#count") == "21 of 1,000 videos"
    page.get_by_role("button", name="all").click()
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_function(
        "() => [...document.querySelectorAll('#rows .id')].some((id) => id.textContent === 'whole-day')"
    )
    assert len(names(page)) < 60
    page.focus("#table")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert page.locator("tr.active .id").inner_text() == "day-0001"
    page.keyboard.press("End")
    assert page.locator("tr.active .id").inner_text() == "whole-day"
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.title === 'whole-day'")


def test_two_runs_stand_in_one_row(both: Path, look: Open) -> None:
    page = look(both)
    assert page.locator("h1 .tag").all_inner_texts() == ["A", "B"]
    cats = page.locator("tr[data-place]", has_text="cats")
    assert cats.locator("td.state .pair").count() == 2
    assert cats.locator("td").nth(4).inner_text().split() == ["12", "8"]
    assert cats.locator("td").nth(6).inner_text().split() == ["0.200", "0.500"]
    alone = page.locator("tr[data-place]", has_text="only-one").locator("td.state")
    assert alone.inner_text().split() == ["A", "done", "B", "absent"]
    assert page.locator(".dots tr").first.locator(".own").count() == 2


def test_hostile_texts_are_shown_as_they_are(hostile: Path, look: Open) -> None:
    page = look(hostile)
    shown = page.evaluate("[...document.querySelectorAll('#rows .id')].map((id) => id.textContent)")
    assert set(HOSTILE) <= set(shown)
    reasons = page.evaluate("[...document.querySelectorAll('#rows .reason')].map((id) => id.textContent)")
    assert set(reasons) == set(HOSTILE)
    page.click("#run-facts summary")
    entries = page.evaluate(
        "[...document.querySelectorAll('#run-facts dd')].map((entry) => entry.textContent)"
    )
    assert set(HOSTILE) <= set(entries)
    assert page.title() != "bad"
    assert page.evaluate("document.querySelectorAll('#main script, img, iframe, [onerror]').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "long names do not widen it"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_it_is_chosen(pets: Path, look: Open, scheme: str) -> None:
    page = look(pets, color_scheme=scheme)
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == scheme
    other = "light" if scheme == "dark" else "dark"
    page.keyboard.press("t")
    assert page.evaluate(theme) == other
    page.reload()
    page.wait_for_selector("#main:not(.hidden)")
    assert page.evaluate(theme) == other
    page.emulate_media(color_scheme=other)
    assert page.evaluate(theme) == other


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it, of a colour written as #rrggbb."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(pets: Path, look: Open, scheme: str) -> None:
    page = look(pets, color_scheme=scheme)
    read = "(name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).slice(0, 7)"
    pairs = [(ink, paper) for ink in ("ink", "quiet") for paper in ("paper", "panel", "sunken")]
    pairs += [
        ("paper", "ink"),
        ("good", "paper"),
        ("bad", "paper"),
        ("accent", "paper"),
        ("truth-ink", "truth"),
    ]
    for ink, paper in pairs:
        lights = sorted(luminance(page.evaluate(read, name)) for name in (ink, paper))
        assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5, (scheme, ink, paper)
    for line in ("signal", "limit", "truth-line"):
        lights = sorted(luminance(page.evaluate(read, name)) for name in (line, "sunken"))
        assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 3, (scheme, line)


def test_the_page_fits_a_telephone(pets: Path, both: Path, look: Open) -> None:
    for report in (pets, both):
        page = look(report, viewport={"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.click("#metrics summary")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
