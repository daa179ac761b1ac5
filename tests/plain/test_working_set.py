import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plain.working_set import WorkingSet

# Few different values, so that ties are frequent.
VALUES = st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0]) | st.floats(-1, 1), max_size=40)


def kept(capacity: int, distance: str, values: list[float]) -> list[int]:
    """Arrival numbers that remain, by the rule as it is written."""
    held: list[int] = []
    for number, value in enumerate(values):
        if len(held) < capacity:
            held.append(number)
            continue
        stored = [values[other] for other in held]
        if distance == "similarity" and value < max(stored):
            held.pop(stored.index(max(stored)))
            held.append(number)
        if distance == "distance" and value > min(stored):
            held.pop(stored.index(min(stored)))
            held.append(number)
    return held


@given(st.integers(1, 6), st.sampled_from(["similarity", "distance"]), VALUES)
@settings(deadline=None)
def test_well_predicted_inputs_leave_first(capacity, distance, values):
    working_set = WorkingSet(capacity, distance)
    for number, value in enumerate(values):
        working_set.put(torch.tensor([float(number)]), value)
    expected = kept(capacity, distance, values)
    assert len(working_set) == len(expected)
    assert working_set.offered == len(values)
    if values:
        assert working_set.stacked()[:, 0].tolist() == expected


@pytest.mark.parametrize(("distance", "worse"), [("similarity", -1.0), ("distance", 1.0)])
def test_of_equally_predicted_inputs_the_first_leaves(distance, worse):
    working_set = WorkingSet(3, distance)
    for number, value in enumerate([0.0, 0.0, 0.0, worse]):
        working_set.put(torch.tensor(number), value)
    assert working_set.stacked().tolist() == [1, 2, 3]


def test_an_equally_predicted_input_is_dropped_but_counted():
    working_set = WorkingSet(2, "similarity")
    for number in range(3):
        working_set.put(torch.tensor(number), 0.5)
    assert working_set.stacked().tolist() == [0, 1]
    assert working_set.offered == 3


def test_clearing_forgets_all():
    working_set = WorkingSet(2, "similarity")
    working_set.put(torch.tensor(1), 0.9)
    working_set.clear()
    assert (len(working_set), working_set.offered) == (0, 0)
    working_set.put(torch.tensor(2), 0.1)
    assert working_set.stacked().tolist() == [2]
