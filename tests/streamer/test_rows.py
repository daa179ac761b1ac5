import torch
from hypothesis import given
from hypothesis import strategies as st

from streamer.rows import FIRST_CAPACITY, RowTable

CPU = torch.device("cpu")


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=30))
def test_rows_keep_their_values_while_others_come_and_go(actions):
    table, held, value = RowTable(CPU), {}, 0.0
    for take, count in actions:
        if take:
            rows = table.take(count)
            assert not held.keys() & set(rows)
            values = [value + i for i in range(count)]
            value += count
            table.write(rows, [torch.tensor(values)[:, None], torch.tensor(values).long()])
            held.update(zip(rows, values, strict=True))
        else:
            gone = list(held)[:count]
            table.release(gone)
            for row in gone:
                del held[row]
        assert table.used == held.keys()
        if held:
            numbers, whole = table.columns(list(held))
            assert numbers[:, 0].tolist() == whole.tolist() == list(held.values())


def test_released_rows_are_taken_again_before_the_table_grows():
    table = RowTable(CPU)
    for _ in range(50):
        rows = table.take(FIRST_CAPACITY)
        assert max(rows) < FIRST_CAPACITY
        table.release(rows)


def test_rows_that_occur_twice_are_added_twice():
    table = RowTable(CPU)
    rows = table.take(2)
    table.write(rows, [torch.zeros(2, 3)])
    table.add([rows[0], rows[1], rows[0]], torch.ones(3, 3), column=0)
    assert table.read(rows).tolist() == [[2.0] * 3, [1.0] * 3]


def test_reserved_rows_are_in_use_and_no_others():
    table = RowTable(CPU)
    table.reserve([3, 200, 7])
    assert table.used == {3, 7, 200}
    assert table.take(4) == [0, 1, 2, 4]
