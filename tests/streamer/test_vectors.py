import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.errors import VideoError
from streamer.vectors import open_vectors, probe_vectors


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "features.npy")


def read(path, **options):
    options = {"snippet_size": 0.5, **options}
    with open_vectors(path, **options) as reader:
        return np.array(list(reader)), reader.duration_s


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_come_in_order_as_float32(path, dtype, order):
    rows = np.arange(12).reshape(4, 3).astype(dtype, order=order)
    np.save(path, rows)
    assert probe_vectors(path) == (4, 3)
    with open_vectors(path, snippet_size=0.5) as reader:
        assert (reader.dim, reader.duration_s) == (3, 2.0)
        vectors = list(reader)
        assert list(reader) == []
    assert all(vector.dtype == np.float32 and vector.shape == (3,) for vector in vectors)
    np.testing.assert_array_equal(vectors, rows)


@pytest.mark.parametrize(
    ("start_s", "end_s", "rows", "duration_s"),
    [
        (0.0, None, range(10), 5.0),
        (1.0, None, range(2, 10), 4.0),
        (0.0, 2.0, range(4), 2.0),
        (1.0, 2.0, range(2, 4), 1.0),
        (1.2, 2.0, range(2, 4), 0.8),  # the row in force at 1.2 s began at 1.0 s; next 1.7 s
        (0.0, 2.1, range(5), 2.1),
        (4.9, None, range(9, 10), 0.1),
        (0.0, 99.0, range(10), 5.0),
    ],
)
def test_a_range_is_cut_out(path, start_s, end_s, rows, duration_s):
    np.save(path, np.arange(10.0)[:, None])
    vectors, duration = read(path, start_s=start_s, end_s=end_s)
    assert vectors[:, 0].tolist() == list(rows)
    assert duration == pytest.approx(duration_s)


@given(
    n=st.integers(1, 400), first=st.integers(0, 399), snippet_size=st.sampled_from([0.1, 0.3, 0.5, 1 / 30])
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_ranges_on_the_grid_are_exact_for_any_snippet_size(path, n, first, snippet_size):
    np.save(path, np.arange(float(n))[:, None])
    first = min(first, n - 1)
    vectors, _ = read(path, snippet_size=snippet_size, start_s=first * snippet_size)
    assert vectors[:, 0].tolist() == list(range(first, n))


@given(
    n=st.integers(1, 40),
    length=st.integers(1, 12),
    snippet_size=st.sampled_from([0.1, 0.3, 0.5]),
    start_s=st.sampled_from([0.0, 0.05, 0.7]),
    end_s=st.sampled_from([None, 2.1, 99.0]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_parts_are_the_whole(path, n, length, snippet_size, start_s, end_s):
    np.save(path, np.arange(float(n))[:, None])
    options = {"snippet_size": snippet_size, "start_s": start_s, "end_s": end_s}
    if start_s >= n * snippet_size:
        return
    whole, duration_s = read(path, **options)
    rows = []
    while True:
        part, last_s = read(path, first=len(rows), stop=len(rows) + length, **options)
        rows += part.tolist()
        if len(part) < length:
            break
    assert rows == whole.tolist()
    assert last_s == duration_s


def test_durations_of_parts(path):
    np.save(path, np.arange(10.0)[:, None])
    assert read(path, first=2, stop=4)[1] == 2.0
    assert read(path, first=2)[1] == 5.0
    assert read(path, first=8, stop=12)[1] == 5.0
    assert read(path, end_s=2.2, stop=5)[1] == 2.2
    rows, duration_s = read(path, first=50, stop=60)
    assert (len(rows), duration_s) == (0, 5.0)


def test_a_start_after_the_end_is_refused(path):
    np.save(path, np.zeros((4, 2)))
    with pytest.raises(VideoError, match=r"start_s 2 is not before the end at 2 s"):
        open_vectors(path, snippet_size=0.5, start_s=2.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_a_value_that_is_not_finite_is_reported_where_it_is(path, bad):
    rows = np.zeros((4, 2))
    rows[2, 1] = bad
    np.save(path, rows)
    with open_vectors(path, snippet_size=0.5) as reader:
        assert len([next(reader), next(reader)]) == 2
        with pytest.raises(VideoError, match="row 2") as caught:
            next(reader)
    assert caught.value.time_s == 1.0


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 4)),
        np.zeros((4, 0)),
        np.zeros(4),
        np.zeros((2, 2, 2)),
        np.array(1.0),
        np.zeros((2, 2), dtype=int),
        np.zeros((2, 2), dtype=complex),
        np.zeros((2, 2), dtype=bool),
        np.array([["a"]]),
        np.zeros((2, 2), dtype=[("x", "f4")]),
        np.array([[{}]], dtype=object),
    ],
    ids=str,
)
def test_other_arrays_are_refused(path, array):
    np.save(path, array)
    for call in (probe_vectors, read):
        with pytest.raises(VideoError) as caught:
            call(path)
        assert "\n" not in str(caught.value)
        assert caught.value.reason.count(path) == 0


def test_pickles_archives_text_and_nothing_are_refused(path, tmp_path):
    np.savez(tmp_path / "archive.npz", a=np.zeros((2, 2)))
    contents = [pickle.dumps(print), (tmp_path / "archive.npz").read_bytes(), b"1,2\n3,4\n", b""]
    for content in contents:
        with open(path, "wb") as file:
            file.write(content)
        with pytest.raises(VideoError, match=r"not a whole \.npy file"):
            probe_vectors(path)


def test_missing_files_folders_and_addresses_are_refused(tmp_path):
    for uri, reason in [
        (str(tmp_path / "none.npy"), "No such file"),
        (str(tmp_path), "Is a directory"),
        ("https://example.org/a.npy", "local files only"),
    ]:
        with pytest.raises(VideoError, match=reason):
            probe_vectors(uri)


def test_a_file_cut_anywhere_is_refused(path):
    np.save(path, np.ones((5, 3)))
    with open(path, "rb") as file:
        whole = file.read()
    for length in range(len(whole)):
        with open(path, "wb") as file:
            file.write(whole[:length])
        with pytest.raises(VideoError):
            probe_vectors(path)


@given(st.lists(st.tuples(st.integers(0, 127), st.integers(0, 255)), min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_a_damaged_header_is_read_or_refused_but_never_breaks(path, damage):
    np.save(path, np.ones((5, 3)))
    with open(path, "rb+") as file:
        content = bytearray(file.read())
        for place, value in damage:
            content[place] = value
        file.seek(0)
        file.write(content)
    try:
        rows, dim = probe_vectors(path)
    except VideoError:
        return
    assert rows * dim <= 60
