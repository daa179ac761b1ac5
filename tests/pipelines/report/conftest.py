"""A browser for all tests of the pages, and the reports that they look at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from tests.pipelines import finished_run
from tests.pipelines.finished_run import write_truth
from tests.pipelines.report.material import HOSTILE, TWO_LEVELS, entry, make_run, write_scores
from tests.streamer.video.clips import constant_rate, encode

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
SECONDS = {"cats": 12, "dogs": 8}
RATE = 10

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium; without one the tests are skipped, save where `CI` says that there must be one."""
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        assert not os.environ.get("CI"), f"none of {', '.join(BROWSERS)} is installed: install chromium"
        pytest.skip("no Chromium is installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as library:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        started = library.chromium.launch(executable_path=found, args=["--no-sandbox"] if root else [])
        yield started
        started.close()


@pytest.fixture
def look(browser: Any) -> Iterator[Open]:
    """Opens a page of a report; afterwards asserts that nothing went wrong on any of them."""
    contexts, faults = [], []

    def open_page(
        folder: Path, page: str = "index.html", *, script: str | None = None, **options: Any
    ) -> Any:
        size = {"width": 1600, "height": 1000}
        context = browser.new_context(**{"viewport": size, "reduced_motion": "reduce", **options})
        contexts.append(context)
        opened = context.new_page()
        opened.set_default_timeout(15_000)
        opened.on(
            "console", lambda told: faults.append(told.text) if told.type in ("error", "warning") else None
        )
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on("dialog", lambda dialog: faults.append(f"a dialog: {dialog.message}"))
        opened.on(
            "request", lambda asked: None if asked.url.startswith("file:") else faults.append(asked.url)
        )
        if script is not None:
            opened.add_init_script(script)
        opened.goto(f"{folder.as_uri()}/{page}")
        opened.wait_for_selector("#main:not(.hidden), #message:not(.hidden)")
        return opened

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def write_report(*words: object) -> None:
    """Runs the command, which must work."""
    assert main(["report", *map(str, words)]) == 0


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of short VP9 videos, which every Chromium plays."""
    folder = tmp_path_factory.mktemp("films")
    for name, seconds in SECONDS.items():
        settings = {
            "codec": "libvpx-vp9",
            "bframes": 0,
            "codec_options": {"deadline": "realtime", "cpu-used": "8"},
        }
        encode(folder / f"{name}.webm", constant_rate(seconds * RATE, RATE, **settings))
    return folder


@pytest.fixture(scope="session")
def pets(tmp_path_factory: pytest.TempPathFactory, films: Path) -> Path:
    """A report of a run: two videos that play, two levels of annotation, scores, inputs that failed."""
    root = tmp_path_factory.mktemp("pets")
    entries = [
        entry(name, seconds, uri=str(films / f"{name}.webm"), fps=float(RATE), codec="vp9")
        for name, seconds in SECONDS.items()
    ]
    late = {"uri": str(films / "cats.webm"), "fps": float(RATE), "start_s": 4.0, "end_s": 10.0}
    entries.append(entry("late", 6.0, **late))
    broken = entry("broken", 0.0, status="failed", reason="cannot be opened; replace it")
    sound = entry("sound", 0.0, status="skipped", reason="no video stream")
    run = make_run(root / "one", [*entries, broken, sound, entry("gone", 10)], every=(2, 6, 12))
    write_scores(run, ["cats", "dogs"])
    truth = write_truth(
        root / "truth.csv",
        "cats,scene,0,6,night",
        "cats,scene,6,12,day",
        "cats,clip,0,3,sleep",
        "cats,clip,2,7,purr",
        "cats,clip,8,12,eat",
        "dogs,clip,0,8,bark",
    )
    write_report(run.root, "--truth", truth)
    return run.root / "report"


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory, films: Path) -> Path:
    """A report of two runs over the same videos; each has one that the other has not."""
    root = tmp_path_factory.mktemp("both")
    cats = entry("cats", SECONDS["cats"], uri=str(films / "cats.webm"))
    one = make_run(root / "one", [cats, entry("only-one", 10)], every=(2, 6))
    two = make_run(root / "two", [cats, entry("only-two", 10)], every=(3, 12))
    write_scores(one, ["cats"])
    write_scores(two, ["cats"], shift=0.3)
    write_report(one.root, two.root, "--out", root / "report")
    return root / "report"


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a run whose middle level is the annotation of one video, and near that of another."""
    root = tmp_path_factory.mktemp("scored")
    run = finished_run.make_run(root / "run")
    truth = write_truth(root / "truth.csv", *TWO_LEVELS)
    assert main(["evaluate", str(run.root), "--truth", str(truth)]) == 0
    write_report(run.root, "--truth", truth)
    return run.root / "report"


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which every text from outside tries to be something else."""
    root = tmp_path_factory.mktemp("hostile")
    entries = [entry(name, 10, uri=name) for name in HOSTILE]
    failed = [entry(f"failed {name}", 0.0, status="failed", reason=name) for name in HOSTILE]
    facts = {"config": {"model": {}, **{name[:50]: name for name in HOSTILE}}, "state": HOSTILE[0]}
    run = make_run(root / "</title><script>document.title='bad'", [*entries, *failed], facts=facts)
    write_scores(run, list(HOSTILE))
    rows = []
    for name in HOSTILE:
        quoted = '"' + name.replace('"', '""') + '"'
        rows += [f"{quoted},{quoted},{second},{second + 2},{quoted}" for second in range(0, 10, 2)]
    write_report(run.root, "--truth", write_truth(root / "truth.csv", *rows))
    return run.root / "report"


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of 1000 videos, one of which lasts three hours and has more than 10 000 events."""
    root = tmp_path_factory.mktemp("large")
    absent = [
        entry(f"day-{place:04d}", 60.0 + place, status="skipped", reason="not reached")
        for place in range(979)
    ]
    short = [entry(f"short-{place:02d}", 10.0 + place) for place in range(20)]
    run = make_run(root / "run", [*absent, *short, entry("whole-day", 10_800.0)])
    write_scores(run, [f"short-{place:02d}" for place in range(20)])
    write_report(run.root)
    return run.root / "report"
