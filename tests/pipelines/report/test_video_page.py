"""The page of a video, in a browser: it draws, zooms, pans, selects, plays, and shows two runs."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from PIL import Image

from tests.pipelines.report.conftest import Open
from tests.pipelines.report.material import HOSTILE

COUNT_MARKS = """
window.marks = 0;
for (const name of ["fillRect", "fill", "stroke", "drawImage", "fillText", "lineTo"]) {
  const draw = CanvasRenderingContext2D.prototype[name];
  CanvasRenderingContext2D.prototype[name] = function (...words) {
    window.marks += 1;
    return draw.apply(this, words);
  };
}
"""
COUNT_RETURNS = """() => {
  window.returns = 0;
  let latest = 0;
  const video = document.getElementById("video");
  video.addEventListener("timeupdate", () => (latest = Math.max(latest, video.currentTime)));
  video.addEventListener("seeked", () => {
    if (video.currentTime < 3.2 && latest > 3.2) window.returns += 1;
  });
}"""


def colours(page: Any, selector: str) -> int:
    """Number of colours in a picture of an element."""
    picture = Image.open(io.BytesIO(page.locator(selector).screenshot())).convert("RGB")
    return len(picture.getcolors(maxcolors=2**24) or [])


def rows(page: Any) -> dict[str, Any]:
    """Middles of the timeline's rows by name, in pixels below its upper edge."""
    script = """() => Object.fromEntries([...document.querySelectorAll('.label')].map((label) => [
      (label.querySelector('.tag')?.textContent ?? '') + label.querySelector('.name').textContent
        + (label.classList.contains('signal') ? ' ' + label.querySelector('.note').textContent : ''),
      label.offsetTop + label.offsetHeight / 2]))"""
    return page.evaluate(script)


def shown_range(page: Any) -> str:
    return page.inner_text("#range")


def clock(page: Any) -> float:
    minutes, seconds = page.inner_text("#clock").split(" / ")[0].split(":")
    return int(minutes) * 60 + float(seconds)


def click_row(page: Any, name: str, share: float) -> None:
    """Clicks into a row of the timeline at a share of its width."""
    box = page.locator("#plot").bounding_box()
    page.mouse.click(box["x"] + share * box["width"], box["y"] + rows(page)[name])


def settled(page: Any) -> None:
    """Waits until what was asked for has been drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_a_video_is_drawn_with_all_its_rows(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=cats")
    assert page.title() == "cats"
    assert [name for name in rows(page) if name] == [
        "frames", "scene", "clip", "level 2", "level 1", "level 0",
        "similarity level 2", "similarity level 1", "similarity level 0",
    ]  # fmt: skip
    page.wait_for_function("() => document.getElementById('video').readyState >= 2")
    settled(page)
    assert colours(page, "#plot") > 100
    assert page.locator("#inspector tbody tr").count() == 3


def test_the_wheel_keys_and_buttons_zoom(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=cats")
    whole = shown_range(page)
    assert whole == "0:00.00 \u2013 0:12.00 (12 s)"
    box = page.locator("#plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    page.mouse.wheel(0, -400)
    page.wait_for_function("() => !document.getElementById('range').textContent.includes('(12 s)')")
    near = shown_range(page)
    start, end = (float(time) for time in re.findall(r"\d+:(\d+\.\d+)", near))
    assert abs((start + end) / 2 - 6) < 0.05, "the place under the pointer stays"
    for zoom, back in ((("+",), "-"), (("#in",), "#out")):
        before = shown_range(page)
        for action in (*zoom, back):
            page.click(action) if action.startswith("#") else page.keyboard.press(action)
            settled(page)
            if action in zoom:
                assert shown_range(page) != before
        assert shown_range(page) == before
    page.keyboard.press("0")
    settled(page)
    assert shown_range(page) == whole


def test_dragging_and_arrows_pan_but_not_beyond_the_video(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=cats")
    page.keyboard.press("+")
    page.keyboard.press("+")
    settled(page)
    first = shown_range(page)
    page.keyboard.press("ArrowRight")
    settled(page)
    second = shown_range(page)
    assert second != first
    box = page.locator("#plot").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + rows(page)["frames"])
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + rows(page)["frames"], steps=4)
    page.mouse.up()
    settled(page)
    assert shown_range(page) not in (first, second)
    assert clock(page) == 0, "a drag does not seek"
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    settled(page)
    assert shown_range(page).startswith("0:00.00 \u2013 ")
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 8)  # the bar on top
    settled(page)
    assert "\u2013 0:12.00" in shown_range(page)


def test_zooming_stops_at_a_fraction_of_a_second_and_at_the_whole(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=cats")
    for _ in range(40):
        page.keyboard.press("+")
    settled(page)
    assert "(0.25 s)" in shown_range(page)
    for _ in range(60):
        page.keyboard.press("-")
    settled(page)
    assert "(12 s)" in shown_range(page)


def test_the_recording_plays_in_step_and_stops_where_it_is_told(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=cats")
    page.wait_for_function("() => document.getElementById('video').readyState >= 2")
    page.keyboard.press(" ")
    page.wait_for_function("() => document.getElementById('video').currentTime > 0.4")
    page.keyboard.press(" ")
    page.wait_for_function("() => document.getElementById('video').paused")
    settled(page)
    assert abs(clock(page) - page.evaluate("document.getElementById('video').currentTime")) < 0.1
    click_row(page, "frames", 0.75)
    page.wait_for_function("() => Math.abs(document.getElementById('video').currentTime - 9) < 0.1")
    settled(page)
    assert abs(clock(page) - 9) < 0.1


def test_an_event_that_is_clicked_is_told_of_and_played_to_its_end(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=cats")
    page.wait_for_function("() => document.getElementById('video').readyState >= 2")
    click_row(page, "level 0", 0.29)  # 3 to 4 s
    page.wait_for_selector("#inspector .facts")
    assert page.inner_text("#inspector h2").replace("\n", " ") == "Level 0, event 4 of 12"
    facts = page.inner_text("#inspector .facts").split("\n")
    assert "0:03.0 \u2013 0:04.0" in facts
    assert "level 1, event 2" in facts
    page.wait_for_function("() => document.getElementById('video').currentTime >= 4")
    page.wait_for_function("() => document.getElementById('video').paused")
    assert page.evaluate("document.getElementById('video').currentTime") < 4.5
    assert "Level 0, event 4 of 12" in page.inner_text("#announcer")


def test_a_part_of_a_recording_is_played_from_where_it_begins(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=late")
    page.wait_for_function("() => document.getElementById('video').currentTime === 4")
    click_row(page, "frames", 0.5)
    page.wait_for_function("() => Math.abs(document.getElementById('video').currentTime - 7) < 0.1")
    settled(page)
    assert abs(clock(page) - 3) < 0.1
    page.keyboard.press("End")
    page.keyboard.press(",")
    page.keyboard.press(" ")
    page.wait_for_function("() => document.getElementById('video').currentTime >= 10")
    page.wait_for_function("() => document.getElementById('video').paused")


def test_an_event_is_repeated_where_that_is_asked_for(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=cats&e=0.0.3")
    page.wait_for_function("() => document.getElementById('video').readyState >= 2")
    page.keyboard.press("l")
    page.evaluate(COUNT_RETURNS)
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.returns >= 1")
    assert page.evaluate("document.getElementById('video').paused") is False


def test_keys_walk_through_events(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=cats")
    page.keyboard.press("]")
    assert page.inner_text("#inspector h2").startswith("Level 2, event 1")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("]")
    assert page.inner_text("#inspector h2").startswith("Level 1, event 2")
    assert page.url.endswith("e=0.1.1")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#inspector h2").startswith("Level 0, event 4")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("[")
    assert page.inner_text("#inspector h2").startswith("Level 1, event 1")
    page.keyboard.press("Escape")
    assert page.inner_text("#inspector h2") == "Levels"
    page.keyboard.press(".")
    settled(page)
    assert clock(page) == 0.5
    page.keyboard.press("End")
    settled(page)
    assert clock(page) == 12
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog:not([open])", state="attached")


def test_the_nearest_events_lead_to_other_places_and_videos(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=cats&e=0.0.3")
    page.wait_for_selector(".card")
    headings = page.locator(".nearest h3").all_inner_texts()
    assert headings == ["Nearest in this video", "Nearest in other videos"]
    other = page.locator(".nearest > div").nth(1).locator(".card").first
    assert other.get_attribute("title").startswith(("dogs, ", "gone, ", "late, "))
    name = other.get_attribute("title").split(",")[0]
    other.click()
    page.wait_for_function("(name) => document.title === name", arg=name)
    page.wait_for_selector("#inspector .facts")
    assert page.inner_text("#name") == name


def test_the_pointer_is_told_of(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=cats")
    box = page.locator("#plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + rows(page)["clip"] + 10)
    page.wait_for_selector("#tip:not(.hidden)")
    assert page.inner_text("#tip").startswith("purr")  # the second row of two annotations that overlap
    assert page.inner_text("#pointer").startswith("at 0:02.")
    readings = page.locator(".label.level .reading").all_inner_texts()
    assert readings == ["#1 · 6 s", "#1 · 3 s", "#3 · 1 s"]


def test_what_is_shown_can_be_chosen(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=cats")
    page.keyboard.press("s")
    assert not any("similarity" in name for name in rows(page))
    page.keyboard.press("n")
    page.wait_for_function("() => document.title === 'dogs'")
    assert not any("similarity" in name for name in rows(page)), "the choice holds for the next video"
    page.click("#signals")
    assert any("similarity" in name for name in rows(page))
    page.keyboard.press("p")
    page.wait_for_function("() => document.title === 'cats'")


def test_a_video_that_is_not_there_is_shown_without_it(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=gone")
    assert page.inner_text("#notice").startswith("Cannot be played: /nowhere/")
    assert page.locator("#play").is_disabled()
    page.keyboard.press(" ")
    click_row(page, "level 0", 0.5)
    page.wait_for_selector("#inspector .facts")
    settled(page)
    assert clock(page) == 5


def test_an_unknown_or_unsegmented_video_is_refused_in_words(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=nobody")
    assert page.inner_text("#message") == "No such video in this report."
    refused = {
        "v=..%2F..%2Fsecret": "No such video",
        "": "No such video",
        "v=broken": "This video has no events",
    }
    for words, answer in refused.items():
        page.evaluate("(words) => { location.hash = words; }", words)
        page.wait_for_function(
            "(answer) => document.getElementById('message').textContent.startsWith(answer)", arg=answer
        )
        assert not page.locator("#main").is_visible()
    page.evaluate("() => { location.hash = 'v=cats'; }")
    page.wait_for_selector("#main:not(.hidden)")


def test_hostile_names_and_labels_do_nothing(hostile: Path, look: Open) -> None:
    page = look(hostile)
    for name in HOSTILE:
        page.evaluate("(id) => { location.href = report.videoPage(id); }", name)
        page.wait_for_selector("#main:not(.hidden)")
        assert page.evaluate("document.getElementById('name').textContent") == name
        settled(page)
        box = page.locator("#plot").bounding_box()
        page.mouse.move(box["x"] + 300, box["y"] + next(iter(page.evaluate(
            "() => [...document.querySelectorAll('.label.truth')].map((l) => l.offsetTop + 10)"
        ))))  # fmt: skip
        page.wait_for_selector("#tip:not(.hidden)")
        assert page.evaluate("document.getElementById('tip').textContent").startswith(name[:300])
        page.keyboard.press("]")
        page.wait_for_selector(".card")
        assert page.evaluate("document.querySelectorAll('img, [onerror], [onmouseover]').length") == 0
        assert page.title() != "bad"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            "long names do not widen it"
        )
        page.goto(f"{hostile.as_uri()}/index.html")
        page.wait_for_selector("#main:not(.hidden)")


def test_ten_thousand_events_cost_no_more_than_the_pixels_they_fill(large: Path, look: Open) -> None:
    page = look(large, "video.html#v=whole-day", script=COUNT_MARKS)
    settled(page)
    levels = page.locator("#inspector tbody tr").all_inner_texts()
    assert levels[2].startswith("level 0\t10,800")
    width = page.evaluate("document.getElementById('plot').clientWidth")
    for keys in ("", "+++", "++++++"):
        for key in keys:
            page.keyboard.press(key)
        settled(page)
        page.evaluate("window.marks = 0")
        page.keyboard.press("ArrowRight")
        settled(page)
        # 4 strips, and for each of 3 signals and 3 thresholds a range and a line.
        assert 0 < page.evaluate("window.marks") < 16 * width
    page.evaluate("window.marks = 0")
    box = page.locator("#plot").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    settled(page)
    assert page.evaluate("window.marks") < 50, "the pointer redraws only what moves"


def test_two_runs_stand_over_one_axis(both: Path, look: Open) -> None:
    page = look(both, "video.html#v=cats")
    names = [name for name in rows(page) if "level" in name]
    assert names == [
        "Alevel 1", "Alevel 0", "Blevel 1", "Blevel 0",
        "Asimilarity level 1", "Asimilarity level 0", "Bsimilarity level 1", "Bsimilarity level 0",
    ]  # fmt: skip
    click_row(page, "Blevel 0", 0.5)
    page.wait_for_selector("#inspector .facts")
    title = page.inner_text("#inspector h2").split("\n")
    assert title[0] == "B"
    assert "0:06.0 \u2013 0:07.5" in page.inner_text("#inspector .facts")
    assert page.url.endswith("e=1.0.4")
    only = look(both, "video.html#v=only-two")
    assert [name for name in rows(only) if name.startswith("A")] == []


def test_without_signals_nothing_is_said_of_them(scored: Path, look: Open) -> None:
    page = look(scored, "video.html#v=b&e=0.1.1")
    page.wait_for_selector("#inspector .facts")
    facts = page.locator("#inspector .facts dt").all_inner_texts()
    assert facts == ["time", "length", "part of", "holds"]
    assert not page.locator("#signals").is_visible()


def test_the_page_fits_a_telephone(pets: Path, look: Open) -> None:
    page = look(pets, "video.html#v=cats", viewport={"width": 390, "height": 844}, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#plot").scroll_into_view_if_needed()
    box = page.locator("#plot").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + rows(page)["level 0"])
    page.wait_for_selector("#inspector .facts")
