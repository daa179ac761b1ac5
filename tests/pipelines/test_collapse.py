"""The watch for a collapse: it warns of what lasts while a model learns, once."""

from pipelines.collapse import FIRST_STEP, PATIENCE, CollapseWatch
from streamer.spread import COLLAPSED

FLAT, FINE = COLLAPSED / 2, 0.5


def test_a_level_that_stays_flat_while_the_model_learns_is_told_once():
    watch = CollapseWatch()
    told = [watch.look([FINE, FLAT], FIRST_STEP + step) for step in range(PATIENCE + 3)]
    assert [len(lines) for lines in told] == [0] * (PATIENCE - 1) + [1, 0, 0, 0]
    [line] = told[PATIENCE - 1]
    assert line.startswith("level 1: its representations have become all but the same (spread 0.025 of 1)")
    assert "lower --model.learning.lr" in line


def test_no_warning_before_it_has_learned_or_while_it_does_not():
    watch = CollapseWatch()
    assert not any(watch.look([FLAT], step) for step in range(FIRST_STEP))
    assert not any(watch.look([FLAT], FIRST_STEP) for _ in range(9))


def test_a_level_that_recovers_is_not_told():
    watch = CollapseWatch()
    spreads = [FLAT] * (PATIENCE - 1) + [FINE] + [FLAT] * (PATIENCE - 1) + [None]
    assert not any(watch.look([spread], FIRST_STEP + step) for step, spread in enumerate(spreads))
