from collections import Counter

import pytest

from streamer.reservoir import Latest, Reservoir


def sample(reservoir, offered):
    """What is in the slots after so many were offered."""
    held = {}
    for number in range(offered):
        slot = reservoir.place()
        if slot is not None:
            held[slot] = number
    return held


KINDS = pytest.mark.parametrize("kind", [Reservoir, Latest])


@KINDS
@pytest.mark.parametrize("offered", [0, 3, 5, 6, 40])
def test_slots_fill_from_the_first(offered, kind):
    reservoir = kind(5, seed=0, lane=0)
    held = sample(reservoir, offered)
    assert sorted(held) == list(range(min(5, offered)))
    assert len(reservoir) == min(5, offered)
    assert reservoir.seen == offered


def test_everything_has_the_same_chance_to_be_kept():
    kept = Counter(number for lane in range(2000) for number in sample(Reservoir(5, 0, lane), 20).values())
    assert sum(kept.values()) == 10_000
    # Of 2000 draws with chance 1/4, 500 are expected with a standard deviation of 19.
    assert all(400 < kept[number] < 600 for number in range(20))


def test_each_slot_is_drawn_once():
    reservoir = Reservoir(10, seed=0, lane=0)
    sample(reservoir, 30)
    assert sorted(reservoir.draw(10)) == list(range(10))
    assert sorted(reservoir.draw(50)) == list(range(10))
    drawn = [tuple(reservoir.draw(4)) for _ in range(10)]
    assert all(len(set(slots)) == 4 for slots in drawn)
    assert len(set(drawn)) > 1


def test_an_empty_one_draws_nothing():
    assert Reservoir(10, seed=0, lane=0).draw(4) == []


def test_lanes_and_seeds_differ_and_repeat():
    samples = [
        tuple(sample(Reservoir(5, seed, lane), 50).values()) for seed, lane in [(0, 0), (0, 1), (1, 0)]
    ]
    assert len(set(samples)) == 3
    assert tuple(sample(Reservoir(5, 0, 1), 50).values()) == samples[1]


@pytest.mark.parametrize("offered", [0, 3, 5, 6, 42])
def test_the_latest_are_kept_and_known_by_age(offered):
    latest = Latest(5, seed=0, lane=0)
    held = sample(latest, offered)
    assert set(held.values()) == set(range(max(0, offered - 5), offered))
    assert [held[slot] for slot in latest.from_newest(offered)] == sorted(held.values(), reverse=True)


def test_the_latest_that_were_inherited_give_way_in_order():
    latest = Latest(5, seed=0, lane=0)
    latest.inherit(3, seen=40)
    assert [latest.place() for _ in range(4)] == [3, 4, 0, 1]


@KINDS
def test_it_goes_on_from_what_another_remembered(kind):
    one, other = kind(5, seed=0, lane=0), kind(5, seed=7, lane=3)
    sample(one, 23)
    other.recall(one.remembered())
    assert [one.place() for _ in range(30)] == [other.place() for _ in range(30)]
    assert one.draw(3) == other.draw(3)
