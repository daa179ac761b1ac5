import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.inputs import Inputs, find_inputs
from pipelines.manifest import CatalogError
from streamer.errors import StreamerError
from tests.pipelines.input_files import touch, write_manifest


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder that is the current one."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def find(*inputs: object) -> Inputs:
    return find_inputs([str(path) for path in inputs])


def ids(*inputs: object) -> list[str]:
    return sorted(source.video_id for source in find(*inputs).sources)


def test_folders_are_searched_in_full_and_other_files_counted(folder):
    touch(
        folder / "b.mp4",
        folder / "P01" / "P01_01.MOV",
        folder / "P01" / "deep" / "x.y.webm",
        folder / "s.mp3",
    )
    touch(folder / "truth.csv", folder / "P01" / "notes.txt", folder / "no_suffix", folder / "b.ass")
    touch(folder / ".hidden.mp4", folder / ".cache" / "c.mp4")
    found = find(folder)
    assert sorted(source.video_id for source in found.sources) == ["P01/P01_01", "P01/deep/x.y", "b", "s"]
    assert found.ignored == 4


def test_a_file_that_is_named_is_an_input_whatever_its_suffix(folder):
    touch(folder / "a.dat")
    assert ids(folder / "a.dat") == ids("data/*.dat") == ["a"]
    with pytest.raises(CatalogError, match=r"no video found in data/\*: .*\.mp4"):
        find("data/*")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("data/*.mp4", ["x"]),
        ("data/*/*.mp4", ["a/x", "b/y"]),
        ("data/**/*.mp4", ["a/deep/z", "a/x", "b/y", "x"]),
        ("data/**", ["a/deep/z", "a/v", "a/x", "b/y", "x"]),
        ("data/[a]", ["a/deep/z", "a/v", "a/x"]),
        ("data/?/[xy].*", ["a/x", "b/y"]),
    ],
)
def test_patterns(folder, pattern, expected):
    touch(folder / "x.mp4", folder / "a" / "x.mp4", folder / "a" / "v.npy", folder / "a" / "deep" / "z.mp4")
    touch(folder / "b" / "y.mp4", folder / ".h" / "h.mp4", folder / "a" / ".h.mp4")
    assert ids(pattern) == expected


def test_a_file_with_the_characters_of_a_pattern_is_that_file(folder):
    touch(folder / "a[1].mp4", folder / "a1.mp4")
    assert ids("data/a[1].mp4") == ["a[1]"]


def test_links_in_circles_end_and_a_file_appears_once(folder):
    touch(folder / "a" / "x.mp4")
    (folder / "a" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "b").symlink_to(folder / "a", target_is_directory=True)
    (folder / "self.mp4").symlink_to(folder / "self.mp4")
    assert ids(folder) == ["a/x", "self"]
    assert ids("data/**/*.mp4", folder, folder / "a" / "x.mp4") == ["a/x", "self"]


def test_pipes_are_left_alone(folder):
    os.mkfifo(folder / "pipe.mp4")
    touch(folder / "a.mp4")
    assert ids(folder) == ["a"]
    with pytest.raises(CatalogError, match="neither a file nor a folder"):
        find(folder / "pipe.mp4")


def test_the_suffix_stays_where_two_names_would_be_the_same(folder):
    touch(folder / "a.mp4", folder / "a.mkv", folder / "b.mp4")
    assert ids(folder) == ["a.mkv", "a.mp4", "b"]


def test_two_roots_with_the_same_names_are_told_apart_in_any_order(folder):
    first, second = folder / "one" / "videos", folder / "two" / "videos"
    touch(first / "a.mp4", first / "b.mp4", second / "a.mp4", second / "c.mp4")
    expected = ["b", "c", "one/videos/a", "two/videos/a"]
    assert ids(first, second) == ids(second, first) == expected


def test_addresses_are_named_by_the_end_of_their_path():
    host = "https://example.org"
    assert ids(f"{host}/v/My%20clip.mp4?token=1") == ["My clip"]
    assert ids(f"{host}/a/x.mp4", f"{host}/b/x.mp4", f"{host}/b/x.mp4") == ["a/x", "b/x"]
    assert ids(f"{host}/x?id=1", f"{host}/x?id=2") == ["x", "x-2"]
    assert ids(host) == ["example"]
    with pytest.raises(CatalogError, match="no valid address"):
        find("http://[::1/x.mp4")
    with pytest.raises(CatalogError, match=r"s3://bucket/x: only paths and http\(s\)"):
        find("s3://bucket/x")


def test_nothing_to_find_is_an_error_that_says_what_counts(folder):
    touch(folder / "notes.txt")
    with pytest.raises(CatalogError, match=r"no video found in data: .*\.mp4 .*\.npy"):
        find("data")
    with pytest.raises(CatalogError, match="no video found in no input"):
        find()
    for missing, message in [
        ("none.mp4", "no such file"),
        ("data/*.avi", "matches nothing"),
        ("", "is empty"),
    ]:
        with pytest.raises(CatalogError, match=message) as caught:
            find(folder, missing)
        assert "\n" not in str(caught.value)
        assert isinstance(caught.value, StreamerError)


def test_a_manifest_goes_before_other_ways_to_the_same_file(folder):
    touch(folder / "a.mp4", folder / "b.mp4", folder / "kept.mp4")
    manifest = write_manifest(folder / "m.csv", "video_id,uri\nkept,a.mp4\n")
    assert ids(folder, manifest) == ids(manifest, manifest, folder) == ["b", "kept", "kept.mp4"]
    other = write_manifest(folder / "n.csv", "video_id,uri\nkept,b.mp4\n")
    with pytest.raises(CatalogError, match="kept names something else in another manifest"):
        find(manifest, other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,uri\na,b\n", r"m\.csv: lacks the column video_id"),
        ("video_id;uri\na;b\n", r"m\.csv: lacks the columns video_id, uri"),
        ("", "lacks the column"),
        ("video_id,uri,uri\na,b,c\n", "column uri more than once"),
        ("video_id,uri\na,x.mp4\na,y.mp4\n", r"m\.csv, line 3: video_id a is that of line 2 too"),
        ("video_id,uri\n,x.mp4\n", "line 2: video_id is empty"),
        ("video_id,uri\na\n", "line 2: uri is empty"),
        ("video_id,uri\na,b,c\n", "line 2: more values than columns"),
        ("video_id,uri,start_s\na,b,soon\n", "line 2: start_s is 'soon'"),
        ("video_id,uri,start_s\na,b,-1\n", "line 2: start_s is '-1'"),
        ("video_id,uri,end_s\na,b,inf\n", "line 2: end_s is 'inf'"),
        ("video_id,uri,start_s,end_s\na,b,2,2\n", "line 2: end_s 2 is not after start_s 2"),
        ("video_id,uri\na,gs://b/c.mp4\n", "only paths and http"),
        ('video_id,uri\na,"b\n', "is not a readable CSV file"),
        ("video_id,uri\n", "no video found"),
    ],
)
def test_manifests_with_mistakes_are_refused_with_the_row(folder, text, message):
    write_manifest(folder / "m.csv", text)
    with pytest.raises(CatalogError, match=message) as caught:
        find(folder / "m.csv")
    assert "\n" not in str(caught.value)


def test_manifests_that_are_something_else_are_refused(folder):
    (folder / "m.csv").write_bytes(b"video_id,uri\n\xff\xfe,x\n")
    (folder / "m.parquet").write_bytes(b"video_id,uri\n")
    with pytest.raises(CatalogError, match="is not UTF-8 text"):
        find(folder / "m.csv")
    with pytest.raises(CatalogError, match="is not a readable Parquet file"):
        find(folder / "m.parquet")


PARTS = st.lists(st.sampled_from(["a", "b", "a.b"]), min_size=1, max_size=3)
FILES = st.tuples(
    st.sampled_from(["one", "two", "up/one"]), PARTS, st.sampled_from([".mp4", ".mkv", ".b.mp4"])
)


@given(
    files=st.sets(
        FILES.map(lambda file: f"{file[0]}/d/{'/'.join(file[1])}{file[2]}"), min_size=1, max_size=12
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_ids_are_unique_and_do_not_depend_on_the_order_of_the_inputs(folder, files):
    shutil.rmtree(folder)
    touch(*(folder / file for file in files))
    manifest = write_manifest(folder / "m.csv", "video_id,uri\na,elsewhere.mp4\na.mp4,elsewhere.mp4\n")
    roots = sorted({folder / file.split("/d/")[0] for file in files})
    uris = {source.video_id: source.uri for source in find(manifest, *roots).sources}
    assert uris == {source.video_id: source.uri for source in find(*reversed(roots), manifest).sources}
    assert len(uris) == len(files) + 2
    assert set(uris.values()) >= {str(folder / file) for file in files}
