"""What a run shows while it works."""

import io

import pytest
from rich.console import Console

from pipelines.progress import LINE_SECONDS, ProgressDisplay, Totals


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def report(
    snippets,
    events=(0, 0, 0),
    ended=(),
    sums=(0.0, 0.0, 0.0),
    counts=(0, 0, 0),
    levels=2,
    steps=0,
    load=(0.0, 0.0, 0.0, 0),
    spreads=(),
    gates=(),
):
    """A worker's report; `load`: seconds, seconds waited, seconds at barriers, bytes ahead."""
    seconds, waited_s, barrier_s, bytes_ahead = load
    return {
        "seconds": seconds,
        "waited_s": waited_s,
        "barrier_s": barrier_s,
        "bytes_ahead": bytes_ahead,
        "snippets": snippets,
        "events": list(events),
        "ended": [
            {"video_id": name, "snippets": 1, "duration_s": 0.5, "status": "done", "reason": None}
            for name in ended
        ],
        "signal_sums": list(sums),
        "signal_counts": list(counts),
        "num_levels": levels,
        "steps": steps,
        "spreads": list(spreads),
        "gates": list(gates),
    }


def test_reports_of_workers_add_up(clock):
    totals = Totals(3, 1000, clock)
    totals.add([report(10, (4, 1, 0), ["a"], steps=2), report(20, (5, 2, 0), ["b"], steps=2)])
    totals.add([report(30, (6, 2, 1), levels=3, steps=7), report(20, (5, 2, 0), ["c"], levels=3, steps=7)])
    assert totals.snippets == 50
    assert totals.events == [11, 4, 1]
    assert [end.video_id for end in totals.ended] == ["a", "b", "c"]
    assert totals.facts() == {"snippets": 50, "events": [11, 4, 1], "levels": 3, "optimizer_steps": 7}


def test_signals_are_means_over_what_is_new(clock):
    totals = Totals(1, 10, clock)
    totals.add(
        [report(1, sums=(3.0, 0, 0), counts=(4, 0, 0)), report(1, sums=(1.0, 2.0, 0), counts=(4, 1, 0))]
    )
    assert totals.signals == [0.5, 2.0, None]
    totals.add([report(2), report(2, sums=(1.0, 0, 0), counts=(1, 0, 0))])
    assert totals.signals == [1.0, None, None]
    assert totals.metrics() == {
        "videos_done": 0,
        "videos_to_go": 1,
        "levels": 2,
        "optimizer_steps": 0,
        "events/level0": 0,
        "events/level1": 0,
        "signal/level0": 1.0,
    }


def test_what_was_learned_is_told_by_level(clock):
    totals = Totals(1, 10, clock)
    totals.add([report(1, spreads=[0.25, None], gates=[0.5, 0.0]), report(1, spreads=[0.5], gates=[0.5])])
    assert totals.spreads == [0.5, None]
    told = {name: value for name, value in totals.metrics().items() if name.startswith(("spread", "gate"))}
    assert told == {"spread/level0": 0.5, "gate/level0": 0.5, "gate/level1": 0.0}


def test_rate_and_time_to_go_count_from_the_first_report(clock):
    totals = Totals(1, 1000, clock)
    totals.add([report(100)])
    assert (totals.rate, totals.to_go_s) == (None, None)
    clock.now += 10
    totals.add([report(300)])
    assert totals.rate == 20.0
    assert totals.to_go_s == 35.0
    assert totals.metrics()["snippets_per_second"] == 20.0
    clock.now += 10
    totals.add([report(1000)])
    assert (totals.rate, totals.to_go_s) == (45.0, 0.0)


def test_no_time_to_go_where_it_is_not_known(clock):
    unknown = Totals(1, 0, clock)
    stalled = Totals(1, 1000, clock)
    for snippets in (10, 20):
        clock.now += 1
        unknown.add([report(snippets)])
        stalled.add([report(10)])
    assert (unknown.rate, unknown.to_go_s) == (10.0, None)
    assert (stalled.rate, stalled.to_go_s) == (0.0, None)
    assert "to go" not in unknown.describe()


def test_two_reports_at_one_moment_have_no_rate(clock):
    totals = Totals(1, 10, clock)
    totals.add([report(1)])
    totals.add([report(2)])
    assert totals.rate is None


def test_description(clock):
    totals = Totals(4, 1480, clock)
    assert totals.describe() == "0/4 videos, 0 snippets"
    totals.add([report(0)])
    clock.now += 10
    totals.add([report(100, (12, 3, 0), ["a"])])
    assert totals.describe() == "1/4 videos, 100 snippets at 10.0/s, events by level 12/3, 2:18 to go"


def test_how_busy_workers_are(clock):
    totals = Totals(4, 1000, clock)
    totals.add([report(100, load=(2.0, 0.5, 0.0, 1)), report(50, load=(2.0, 0.0, 0.0, 1))])
    assert totals.workload is None, "nothing to compare with"
    clock.now += 2
    totals.add([report(180, load=(2.0, 0.5, 0.2, 2**20)), report(110, load=(2.0, 0.1, 0.6, 2**20))])
    assert totals.metrics() | {
        "waiting_share": 0.15,
        "barrier_share": 0.2,
        "skew": 0.25,
        "bytes_ahead": 2.0 * 2**20,
        "worker0/snippets_per_second": 40.0,
        "worker0/waiting_share": 0.25,
        "worker0/barrier_share": 0.1,
        "worker1/snippets_per_second": 30.0,
        "worker1/waiting_share": 0.05,
        "worker1/barrier_share": 0.3,
    } == pytest.approx(totals.metrics())
    line = totals.describe()
    assert "waiting for snippets 15%, at barriers 20%, workers 30.0 to 40.0/s, 2.0 MB ahead" in line


def test_workers_that_begin_again(clock):
    """They tell again what had ended, and what came after their checkpoint is done a second time."""
    totals = Totals(4, 1000, clock)
    totals.add([report(100, ended=["a"])])
    clock.now += 10
    totals.add([report(300, ended=["b"])])
    totals.add([report(150, ended=["a"])])
    assert [end.video_id for end in totals.ended] == ["a", "b"]
    assert totals.workload is None
    clock.now += 10
    totals.add([report(250, ended=["b", "c"])])
    assert sorted(end.video_id for end in totals.ended) == ["a", "b", "c"]
    assert totals.snippets == 250
    clock.now += 10
    totals.add([report(50)])
    clock.now += 10
    totals.add([report(150)])
    assert totals.rate == 10.0, "counted from where they began again"


def test_plain_output_is_a_line_every_few_seconds(clock):
    output = io.StringIO()
    totals = Totals(1, 100, clock)
    with ProgressDisplay(Console(file=output, width=20), "training", clock) as display:
        for _ in range(5):
            display.show(totals)
            clock.now += LINE_SECONDS / 2
    assert output.getvalue() == "training: 0/1 videos, 0 snippets\n" * 3


def test_terminal_shows_a_bar_that_goes_when_the_run_ends(clock):
    output = io.StringIO()
    console = Console(file=output, width=120, force_terminal=True, _environ={"TERM": "xterm"})
    totals = Totals(1, 100, clock)
    totals.add([report(50)])
    with ProgressDisplay(console, "training", clock) as display:
        display.show(totals)
    shown = output.getvalue()
    assert "training" in shown
    assert "━" in shown
    assert "0/1 videos, 50 snippets" in shown
    assert shown.endswith("\x1b[2K"), "the live display must erase itself"
