import errno
import os
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.atomic import atomic_write, file_name

HOSTILE = [
    "../x",
    "..",
    ".",
    "a/b",
    "/etc/passwd",
    ".hidden",
    "_private",
    "CON",
    "x" * 300,
    "\U0001f3ac",
    "%2F",
]
HOSTILE += ["a%2Fb", "a b", "a\nb", "nul\0", "é" * 100, "-rf", "C:\\x", "a?b#c", "~", "x" * 180, "x" * 181]
TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=400)


def test_the_file_appears_whole_under_its_name_and_nothing_else_stays(tmp_path):
    with atomic_write(tmp_path / "a.bin") as temporary:
        temporary.write_bytes(b"new")
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert not (tmp_path / "a.bin").exists()
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_an_error_leaves_the_old_file_and_no_temporary(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")

    def write_half() -> None:
        with atomic_write(tmp_path / "a.bin") as temporary:
            temporary.write_bytes(b"ne")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_half()
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_an_interrupted_rename_leaves_no_temporary(tmp_path, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def write() -> None:
        with atomic_write(tmp_path / "a.bin") as temporary:
            temporary.write_bytes(b"new")
            monkeypatch.setattr(os, "replace", interrupt)

    with pytest.raises(KeyboardInterrupt):
        write()
    assert os.listdir(tmp_path) == []


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with atomic_write(tmp_path / "a") as first, atomic_write(tmp_path / "a") as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert (tmp_path / "a").read_bytes() == b"first"  # the outer block leaves last


def test_file_has_the_mode_of_an_ordinary_new_file(tmp_path):
    (tmp_path / "ordinary").write_bytes(b"")
    with atomic_write(tmp_path / "atomic") as temporary:
        temporary.write_bytes(b"")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


@pytest.mark.parametrize("video_id", HOSTILE)
def test_hostile_ids_make_a_file_inside_the_folder(video_id, tmp_path):
    path = tmp_path / f"{file_name(video_id)}.parquet"
    path.write_bytes(b"x")
    assert path.resolve().parent == tmp_path.resolve()
    assert os.listdir(tmp_path) == [path.name]
    assert path.name.isascii()
    assert path.name[0] not in "._"
    assert len(path.name) < 200


def test_hostile_ids_have_different_names():
    assert len({file_name(video_id) for video_id in HOSTILE}) == len(HOSTILE)


@pytest.mark.parametrize(
    ("video_id", "name"),
    [
        ("P01_101", "P01_101"),
        ("P01/P01_101", "P01%2FP01_101"),
        (".a", "%2Ea"),
        ("_a", "%5Fa"),
        ("é", "%C3%A9"),
    ],
)
def test_names_are_percent_encoded(video_id, name):
    assert file_name(video_id) == name


@given(TEXT)
def test_short_names_give_the_id_back(video_id):
    name = file_name(video_id)
    if "%~" not in name:
        assert unquote(name) == video_id
    assert len(name) <= 180
    assert "/" not in name


@given(TEXT, TEXT)
def test_different_ids_have_different_names(first, second):
    prefix = "long" * 50
    assert (file_name(first) == file_name(second)) == (first == second)
    assert (file_name(prefix + first) == file_name(prefix + second)) == (first == second)
