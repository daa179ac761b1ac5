import os
import shutil
import sys
import threading
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pipelines.probing
from pipelines.catalog import Catalog, build_catalog
from pipelines.decoder import DecoderFaultError, DecoderProcess
from pipelines.probing import PROBE_TIMEOUT_S
from streamer.video import probe
from tests.pipelines.input_files import touch, write_manifest
from tests.pipelines.processes import DEADLINE_S, MARK, marked
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


def test_files_that_are_no_media_are_counted(folder):
    touch(folder / "a.mp4", folder / "truth.csv", folder / "notes.txt")
    found = catalog(folder)
    assert ([entry.video_id for entry in found.entries], found.ignored) == (["a"], 2)


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


def test_a_video_is_known_by_its_content_not_by_its_suffix(folder, clip):
    shutil.copy(clip, folder / "a.dat")
    [entry] = catalog(folder / "a.dat").entries
    assert (entry.video_id, entry.status, entry.kind) == ("a", "ready", "video")


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


# Runs in every process that probes, before anything else does.
TAMPERED_PROBE = """
import os, signal, streamer.video
honest = streamer.video.probe
def probe(uri):
    name = os.path.basename(uri)
    if "hangs" in name:
        while True:
            signal.pause()
    if "crashes" in name or "once" in name and not os.path.exists(__file__ + ".once"):
        open(__file__ + ".once", "w").close()
        os.kill(os.getpid(), signal.SIGSEGV)
    if "fault" in name:
        raise ZeroDivisionError
    return honest(uri)
streamer.video.probe = probe
"""


class Probing:
    """What is asked of the processes that probe.

    Attributes:
        asked: names of files, request by request.
        patience_s: how long those that hang are waited for.
    """

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.patience_s = 0.5


@pytest.fixture
def probing(tmp_path, monkeypatch) -> Probing:
    """Makes probes hang, crash or fail by the names of files."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(TAMPERED_PROBE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hook"))
    monkeypatch.setenv(MARK, str(tmp_path))
    honest, probing = DecoderProcess.probe, Probing()

    def watched(self: DecoderProcess, uris: Sequence[str], timeout_s: float):
        assert timeout_s == PROBE_TIMEOUT_S
        names = [Path(uri).stem for uri in uris]
        probing.asked.append(names)
        hangs = any("hangs" in name for name in names)
        return honest(self, uris, probing.patience_s if hangs else DEADLINE_S)

    monkeypatch.setattr(DecoderProcess, "probe", watched)
    return probing


@pytest.mark.parametrize("probes", [1, 8])
def test_a_probe_that_hangs_or_crashes_costs_that_file_alone(folder, clip, probing, tmp_path, probes):
    names = ["a", "b_crashes", "c", "d_hangs", "e_once", "f", "g", "h"]
    for name in names:
        shutil.copy(clip, folder / f"{name}.mp4")
    entries = catalog(folder, probes=probes).entries
    assert [entry.video_id for entry in entries] == names
    failed = {entry.video_id: entry.reason for entry in entries if entry.status != "ready"}
    assert failed == {
        "b_crashes": "the decoder died (signal 11, SIGSEGV), tried 2 times; replace or re-encode the file",
        "d_hangs": "the decoder hung: no answer in 0.5 s, tried 2 times; replace or re-encode the file",
    }
    expected = probe(str(clip))
    for entry in entries:
        if entry.video_id not in failed:
            assert (entry.duration_s, entry.fps, entry.codec) == (1.0, expected.fps, expected.codec)
            assert (entry.width, entry.height) == (expected.width, expected.height)
    assert max(map(len, probing.asked)) == (2 if probes == 1 else 1)
    assert probing.asked.count(["b_crashes"]) == probing.asked.count(["d_hangs"]) == 2
    assert marked(str(tmp_path)).keys() <= {os.getpid()}


def test_a_fault_of_the_program_is_not_taken_for_a_damaged_file(folder, clip, probing, tmp_path):
    for name in ("a", "fault", "z"):
        shutil.copy(clip, folder / f"{name}.mp4")
    with pytest.raises(DecoderFaultError, match="ZeroDivisionError"):
        catalog(folder)
    assert probing.asked.count(["fault"]) == 1
    assert marked(str(tmp_path)).keys() <= {os.getpid()}


def test_an_interruption_waits_for_no_probe(folder, clip, probing, monkeypatch, tmp_path, caplog):
    """Nothing is asked for again where the interruption has killed it."""
    monkeypatch.setattr(pipelines.probing, "GROWTH_S", 0.0)
    probing.patience_s = DEADLINE_S
    for name in ("a", "hangs"):
        shutil.copy(clip, folder / f"{name}.mp4")

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalog(folder, progress=interrupt)
    assert probing.asked.count(["hangs"]) <= 1
    assert not caplog.records
    assert marked(str(tmp_path)).keys() <= {os.getpid()}


def test_vectors_need_no_other_process(folder, probing, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/program")
    np.save(folder / "a.npy", np.zeros((7, 3), np.float32))
    [entry] = catalog(folder).entries
    assert (entry.status, probing.asked) == ("ready", [])
