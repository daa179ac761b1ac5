import os
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipelines.catalog
from pipelines.catalog import Catalog, CatalogError, build_catalog
from streamer.errors import StreamerError, VideoError
from tests.streamer.video.clips import HEIGHT, WIDTH, constant_rate, encode

SHARED = Path(__file__).resolve().parents[3] / "shared" / "videos"


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """One second of video at ten frames per second."""
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4", constant_rate(10, 10))


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder that is the current one."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def catalog(*inputs: object, **options) -> Catalog:
    return build_catalog([str(path) for path in inputs], snippet_size=0.5, **options)


def ids(*inputs: object) -> list[str]:
    return [entry.video_id for entry in catalog(*inputs).entries]


def touch(*paths: Path) -> None:
    """Makes files that nothing can be read from: enough where only finding and naming matter."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_a_video_is_described(folder, clip):
    shutil.copy(clip, folder / "a.mp4")
    [entry] = catalog("data/a.mp4").entries
    assert (entry.video_id, entry.uri) == ("a", str(folder / "a.mp4"))
    assert (entry.kind, entry.status, entry.reason) == ("video", "ready", None)
    assert (entry.duration_s, entry.fps) == (1.0, 10.0)
    assert (entry.width, entry.height, entry.codec, entry.dim) == (WIDTH, HEIGHT, "h264", None)
    assert (entry.start_s, entry.end_s, entry.split) == (0.0, None, None)


def test_vectors_are_described(folder):
    np.save(folder / "a.npy", np.zeros((7, 3), np.float32))
    [entry] = catalog(folder).entries
    assert (entry.video_id, entry.kind, entry.status) == ("a", "vectors", "ready")
    assert (entry.duration_s, entry.dim, entry.codec) == (3.5, 3, None)


def test_folders_are_searched_in_full_and_other_files_counted(folder):
    touch(
        folder / "b.mp4",
        folder / "P01" / "P01_01.MOV",
        folder / "P01" / "deep" / "x.y.webm",
        folder / "s.mp3",
    )
    touch(folder / "truth.csv", folder / "P01" / "notes.txt", folder / "no_suffix", folder / "b.ass")
    touch(folder / ".hidden.mp4", folder / ".cache" / "c.mp4")
    found = catalog(folder)
    assert [entry.video_id for entry in found.entries] == ["P01/P01_01", "P01/deep/x.y", "b", "s"]
    assert found.ignored == 4


def test_files_that_cannot_be_read_are_entries_with_a_reason(folder, clip):
    shutil.copy(clip, folder / "good.mp4")
    encode(folder / "mute.mkv", constant_rate(10, 10, audio_s=1.0))
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("this is no video\n")
    (folder / "short.npy").write_bytes(b"\x93NUMPY")
    (folder / "gone.mp4").symlink_to(folder / "nowhere.mp4")
    entries = {entry.video_id: entry for entry in catalog(folder).entries}
    assert {name for name, entry in entries.items() if entry.status == "ready"} == {"good", "mute"}
    for name in ("empty", "text", "short", "gone"):
        assert entries[name].status == "failed"
        reason = entries[name].reason
        assert reason
        assert "\n" not in reason
        assert str(folder) not in reason
    assert "no such file" in (entries["gone"].reason or "")


def test_sound_without_picture_is_skipped(folder):
    path = SHARED / "awkward" / "tc_audio_only.mp3"
    if not path.exists():
        pytest.skip("the shared videos are not here")
    [entry] = catalog(path).entries
    assert (entry.status, entry.reason) == ("skipped", "no video stream")


def test_a_file_that_is_named_is_an_input_whatever_its_suffix(folder, clip):
    shutil.copy(clip, folder / "a.dat")
    assert [(e.video_id, e.status) for e in catalog(folder / "a.dat").entries] == [("a", "ready")]
    assert ids("data/*.dat") == ["a"]
    with pytest.raises(CatalogError, match=r"no video found in data/\*: .*\.mp4"):
        catalog("data/*")


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
        catalog(folder / "pipe.mp4")


def test_the_suffix_stays_where_two_names_would_be_the_same(folder):
    touch(folder / "a.mp4", folder / "a.mkv", folder / "b.mp4")
    assert ids(folder) == ["a.mkv", "a.mp4", "b"]


def test_two_roots_with_the_same_names_are_told_apart_in_any_order(folder):
    first, second = folder / "one" / "videos", folder / "two" / "videos"
    touch(first / "a.mp4", first / "b.mp4", second / "a.mp4", second / "c.mp4")
    expected = ["b", "c", "one/videos/a", "two/videos/a"]
    assert ids(first, second) == ids(second, first) == expected


def test_addresses_are_named_by_the_end_of_their_path(monkeypatch):
    def refuse(uri: str) -> None:
        raise VideoError(uri, "there is no network in this test")

    monkeypatch.setattr(pipelines.catalog, "probe", refuse)
    host = "https://example.org"
    assert ids(f"{host}/v/My%20clip.mp4?token=1") == ["My clip"]
    assert ids(f"{host}/a/x.mp4", f"{host}/b/x.mp4", f"{host}/b/x.mp4") == ["a/x", "b/x"]
    assert ids(f"{host}/x?id=1", f"{host}/x?id=2") == ["x", "x-2"]
    assert ids(host) == ["example"]
    with pytest.raises(CatalogError, match="no valid address"):
        catalog("http://[::1/x.mp4")
    with pytest.raises(CatalogError, match=r"s3://bucket/x: only paths and http\(s\)"):
        catalog("s3://bucket/x")


def test_a_video_behind_an_address_is_probed_and_a_missing_one_has_a_reason(folder):
    encode(folder / "a.mkv", constant_rate(10, 10))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        found = catalog(f"{address}/a.mkv", f"{address}/b.mkv", f"{address}/c.npy").entries
        server.shutdown()
        thread.join()
    assert [(entry.video_id, entry.status) for entry in found] == [
        ("a", "ready"),
        ("b", "failed"),
        ("c", "failed"),
    ]
    assert found[2].kind == "vectors"
    assert "local files only" in (found[2].reason or "")


def test_nothing_to_find_is_an_error_that_says_what_counts(folder):
    touch(folder / "notes.txt")
    with pytest.raises(CatalogError, match=r"no video found in data: .*\.mp4 .*\.npy"):
        catalog("data")
    with pytest.raises(CatalogError, match="no video found in no input"):
        catalog()
    for missing, message in [
        ("none.mp4", "no such file"),
        ("data/*.avi", "matches nothing"),
        ("", "is empty"),
    ]:
        with pytest.raises(CatalogError, match=message) as caught:
            catalog(folder, missing)
        assert "\n" not in str(caught.value)
        assert isinstance(caught.value, StreamerError)


def test_a_name_that_is_not_text_fails_alone(folder):
    try:
        (folder / os.fsdecode(b"bad\xff.mp4")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes text only")
    touch(folder / "good.mp4")
    entries = catalog(folder).entries
    assert [entry.video_id for entry in entries] == ["bad\\xff", "good"]
    assert "not valid UTF-8" in (entries[0].reason or "")
    assert entries[0].uri.encode().endswith(b"bad\\xff.mp4")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_listed_is_an_entry(folder):
    touch(folder / "a.mp4")
    (folder / "locked").mkdir(mode=0)
    entries = catalog(folder).entries
    assert [entry.video_id for entry in entries] == ["a", "locked"]
    assert "cannot be listed" in (entries[1].reason or "")


def write_manifest(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_manifest_names_splits_and_cuts(folder, clip, suffix):
    shutil.copy(clip, folder / "a.mp4")
    frame = pd.DataFrame(
        {
            "video_id": ["first", "second", "third"],
            "uri": ["../a.mp4", str(folder / "a.mp4"), "none.mp4"],
            "split": ["train", None, "test"],
            "start_s": [0.0, 0.25, None],
            "end_s": [None, 0.75, 9.0],
            "label": ["x", "y", "z"],
        }
    )
    path = folder / "lists" / f"manifest{suffix}"
    path.parent.mkdir()
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    first, second, third = catalog(path).entries
    assert (first.uri, first.split, first.duration_s, first.end_s) == (
        str(folder / "a.mp4"),
        "train",
        1.0,
        None,
    )
    assert (second.split, second.start_s, second.end_s, second.duration_s) == (None, 0.25, 0.75, 0.5)
    assert (third.status, third.uri) == ("failed", str(folder / "lists" / "none.mp4"))


def test_a_manifest_goes_before_other_ways_to_the_same_file(folder):
    touch(folder / "a.mp4", folder / "b.mp4", folder / "kept.mp4")
    manifest = write_manifest(folder / "m.csv", "video_id,uri\nkept,a.mp4\n")
    assert ids(folder, manifest) == ids(manifest, manifest, folder) == ["b", "kept", "kept.mp4"]
    other = write_manifest(folder / "n.csv", "video_id,uri\nkept,b.mp4\n")
    with pytest.raises(CatalogError, match="kept names something else in another manifest"):
        catalog(manifest, other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,uri\na,b\n", r"m\.csv: lacks the column video_id"),
        ("video_id;uri\na;b\n", r"m\.csv: lacks the column video_id and uri"),
        ("", "lacks the column"),
        ("video_id,uri,uri\na,b,c\n", "column uri more than once"),
        ("video_id,uri\na,x.mp4\na,y.mp4\n", r"m\.csv, line 3: video_id a is that of line 2 too"),
        ("video_id,uri\n,x.mp4\n", "line 2: video_id is empty"),
        ("video_id,uri\na\n", "line 2: uri is empty"),
        ("video_id,uri\na,b,c\n", "line 2: more fields than columns"),
        ("video_id,uri,start_s\na,b,soon\n", "line 2: start_s is 'soon'"),
        ("video_id,uri,start_s\na,b,-1\n", "line 2: start_s is '-1'"),
        ("video_id,uri,end_s\na,b,inf\n", "line 2: end_s is 'inf'"),
        ("video_id,uri,start_s,end_s\na,b,2,2\n", "line 2: end_s 2 is not after start_s 2"),
        ("video_id,uri\na,gs://b/c.mp4\n", "only paths and http"),
        ('video_id,uri\na,"b\n', "cannot be read as CSV"),
        ("video_id,uri\n", "no video found"),
    ],
)
def test_manifests_with_mistakes_are_refused_with_the_row(folder, text, message):
    write_manifest(folder / "m.csv", text)
    with pytest.raises(CatalogError, match=message) as caught:
        catalog(folder / "m.csv")
    assert "\n" not in str(caught.value)


def test_manifests_that_are_something_else_are_refused(folder):
    (folder / "m.csv").write_bytes(b"video_id,uri\n\xff\xfe,x\n")
    (folder / "m.parquet").write_bytes(b"video_id,uri\n")
    with pytest.raises(CatalogError, match="is not text in UTF-8"):
        catalog(folder / "m.csv")
    with pytest.raises(CatalogError, match="cannot be read as Parquet"):
        catalog(folder / "m.parquet")


def test_a_start_after_the_end_fails(folder):
    np.save(folder / "a.npy", np.zeros((4, 2)))
    write_manifest(folder / "m.csv", "video_id,uri,start_s\na,a.npy,2\nb,a.npy,1.5\n")
    late, ready = catalog(folder / "m.csv").entries
    assert (late.status, late.duration_s) == ("failed", None)
    assert "start_s 2 is not before the end at 2 s" in (late.reason or "")
    assert (ready.status, ready.duration_s) == ("ready", 0.5)


def test_rows_and_progress_do_not_depend_on_the_number_of_probes(folder, clip):
    for number in range(12):
        shutil.copy(clip, folder / f"{number}.mp4")
    calls: list[tuple[int, int]] = []
    found = catalog(folder, probes=8, progress=lambda done, total: calls.append((done, total)))
    assert found == catalog(folder, probes=1)
    assert calls == [(done, 12) for done in range(1, 13)]


def test_a_fault_of_the_program_is_not_taken_for_a_damaged_file(folder, monkeypatch):
    touch(folder / "a.mp4")

    def fail(_: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(pipelines.catalog, "probe", fail)
    with pytest.raises(ZeroDivisionError):
        catalog(folder)


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
    entries = catalog(manifest, *roots).entries
    assert entries == catalog(*reversed(roots), manifest).entries
    assert len({entry.video_id for entry in entries}) == len(entries) == len(files) + 2
    assert {entry.uri for entry in entries} >= {str(folder / file) for file in files}
