"""Decoding in another process: the same snippets, and an end for every recording, whatever happens there."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pipelines.decoder
import pipelines.decoder_process
import pipelines.decoding
import pipelines.probing
from pipelines.decoder import DecoderFaultError, DecoderLostError, DecoderProcess
from pipelines.decoder_process import PartEnd, Request, decode
from pipelines.decoding import decode_patiently
from pipelines.probing import ProbePool
from streamer.errors import TruncatedVideoError, VideoError
from streamer.sources import open_source
from streamer.video import VideoInfo, probe
from tests.pipelines.processes import DEADLINE_S, MARK, await_true, marked, needs_proc
from tests.streamer.video.clips import constant_rate, encode, number_in

SIZE = 48
VECTORS = Request("/data/v.npy", "float32", 0.5, SIZE, 0.0, None, "pyav")


def request(path: object, **changes) -> Request:
    dtype = "float32" if str(path).endswith(".npy") else "uint8"
    return replace(Request(str(path), dtype, 0.5, SIZE, 0.0, None, "pyav"), **changes)


def collect(items) -> tuple[bytes, PartEnd]:
    """All snippets' bytes, and the end that follows them."""
    *snippets, end = items
    assert isinstance(end, PartEnd)
    assert not any(isinstance(snippet, PartEnd) for snippet in snippets)
    return b"".join(bytes(snippet) for snippet in snippets if snippet is not None), end


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 40 snippets."""
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4", constant_rate(200, 10))


@pytest.fixture
def long_clip(tmp_path: Path) -> Path:
    """More snippets than fit into a pipe."""
    return encode(tmp_path / "long.mp4", constant_rate(600, 4))


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """What processes carry that are started in this test."""
    monkeypatch.setenv(MARK, str(tmp_path))
    return str(tmp_path)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A file that nobody can open: whoever tries waits for ever."""
    path = tmp_path / "fifo.mp4"
    os.mkfifo(path)
    return path


@pytest.fixture(autouse=True)
def fresh_decoders() -> Iterator[None]:
    """No test leaves its decoder to another, whose environment would be another."""
    yield
    kept = pipelines.decoding._kept_decoders()
    while kept:
        kept.pop().close()


class Scripted:
    """A source that delivers vectors, then raises."""

    def __init__(self, snippets: int, error: Exception | None = None) -> None:
        self.duration_s = snippets * 0.5
        self.closed = False
        self._snippets, self._error = snippets, error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True

    def __iter__(self):
        for index in range(self._snippets):
            yield np.full(2, index, np.float64)
        if self._error is not None:
            raise self._error


def scripted(monkeypatch: pytest.MonkeyPatch, source: Scripted, **changes) -> tuple[bytes, PartEnd]:
    monkeypatch.setattr(pipelines.decoder_process, "open_source", lambda *_, **__: source)
    found = collect(decode(replace(VECTORS, **changes)))
    assert source.closed
    return found


@pytest.mark.parametrize("snippets", [0, 3])
def test_what_a_source_raises_becomes_the_end(monkeypatch, snippets):
    expected = np.repeat(np.arange(snippets, dtype=np.float32), 2).tobytes()
    truncated = Scripted(snippets, TruncatedVideoError("/data/v.npy", "ends early", 1.0))
    assert scripted(monkeypatch, truncated) == (
        expected,
        PartEnd("end", snippets / 2, False, "at 1.00 s: ends early"),
    )
    broken = Scripted(snippets, VideoError("/data/v.npy", "breaks", 1.0))
    assert scripted(monkeypatch, broken) == (expected, PartEnd("end", 1.0, True, "at 1.00 s: breaks"))
    assert scripted(monkeypatch, Scripted(snippets)) == (expected, PartEnd("end", snippets / 2))


def test_a_fault_of_the_software_is_not_taken_for_a_damaged_file(monkeypatch):
    with pytest.raises(ZeroDivisionError):
        scripted(monkeypatch, Scripted(3, ZeroDivisionError()))


def test_parts_together_are_the_whole(clip):
    whole, end = collect(decode(request(clip)))
    with open_source(str(clip), snippet_size=0.5, frame_size=SIZE) as source:
        assert whole == b"".join(map(bytes, source))
    pieces = [collect(decode(request(clip, first=first, stop=first + 16))) for first in (0, 16, 32)]
    assert b"".join(piece for piece, _ in pieces) == whole
    assert [piece_end.kind for _, piece_end in pieces] == ["stop", "stop", "end"]
    assert pieces[-1][1] == end == PartEnd("end", 20.0)


def test_a_recording_that_cannot_be_divided_is_read_by_its_first_part(monkeypatch, clip):
    whole, end = collect(decode(request(clip)))
    monkeypatch.setattr(pipelines.decoder_process, "divisible", lambda uri, decoder: False)
    assert collect(decode(request(clip, first=0, stop=16))) == (whole, end)
    assert collect(decode(request(clip, first=16, stop=32, leads=False))) == (b"", PartEnd("indivisible"))


def test_signs_of_life_on_the_way_to_the_first_snippet(monkeypatch, clip):
    monkeypatch.setattr(pipelines.decoder_process, "divisible", lambda uri, decoder: False)
    items = list(decode(request(clip, first=16)))
    assert items[:16] == [None] * 16
    snippets = [item for item in items if isinstance(item, np.ndarray)]
    assert [number_in(snippet) for snippet in snippets] == list(range(80, 200, 5))


def test_the_other_process_gives_the_same(clip, tmp_path):
    np.save(tmp_path / "v.npy", np.random.default_rng(0).standard_normal((30, 8)))
    (tmp_path / "text.mp4").write_text("no video\n" * 50)
    with closing(DecoderProcess()) as decoder:
        for asked in (
            request(clip),
            request(clip, first=16, stop=32),
            request(tmp_path / "v.npy"),
            request(tmp_path / "text.mp4"),
            request(tmp_path / "absent.mp4"),
        ):
            assert collect(decoder.decode(asked, DEADLINE_S)) == collect(decode(asked))


def test_faults_in_the_other_process_are_raised_here(clip):
    impossible = request(clip, snippet_size="half a second")
    with closing(DecoderProcess()) as decoder, pytest.raises(DecoderFaultError, match="in decode\n"):
        collect(decoder.decode(impossible, DEADLINE_S))
    with pytest.raises(DecoderFaultError):
        collect(decode_patiently(impossible, DEADLINE_S))


def test_a_decoder_that_cannot_start_is_a_fault_of_the_software(clip, tmp_path, monkeypatch, capfd):
    """No video is to blame, so none is given up."""
    (tmp_path / "av.py").write_text("raise ZeroDivisionError\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(DecoderFaultError, match=r"did not start \(exit status 1\)"):
        collect(decode_patiently(request(clip), DEADLINE_S))
    with closing(ProbePool()) as pool, pytest.raises(DecoderFaultError, match=r"did not start"):
        pool.probe([str(clip)])
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_decoder_that_hangs_is_killed(fifo):
    with closing(DecoderProcess()) as decoder:
        with pytest.raises(DecoderLostError, match=r"^the decoder hung: no snippet in 0\.5 s$"):
            collect(decoder.decode(request(fifo), 0.5))
        assert not decoder.alive


@pytest.mark.parametrize(
    ("number", "reason"),
    [(signal.SIGSEGV, "signal 11, SIGSEGV"), (signal.SIGKILL, "signal 9, SIGKILL")],
)
def test_a_decoder_that_dies_is_noticed(long_clip, number, reason):
    with closing(DecoderProcess()) as decoder:
        items = decoder.decode(request(long_clip), DEADLINE_S)
        next(items)
        os.kill(decoder.process_id, number)
        with pytest.raises(DecoderLostError, match=rf"^the decoder died \({reason}\)$"):
            collect(items)


def test_a_decoder_that_was_dead_before_is_noticed(clip):
    with closing(DecoderProcess()) as decoder:
        os.kill(decoder.process_id, signal.SIGKILL)
        os.waitid(os.P_PID, decoder.process_id, os.WEXITED | os.WNOWAIT)
        with pytest.raises(DecoderLostError, match="the decoder died"):
            collect(decoder.decode(request(clip), DEADLINE_S))


@needs_proc
def test_a_decoder_that_dies_once_costs_nothing_but_time(long_clip, mark):
    items = decode_patiently(request(long_clip), DEADLINE_S)
    head = [next(items) for _ in range(21)]
    [process_id] = decoders(mark)
    os.kill(process_id, signal.SIGSEGV)
    assert collect([*head, *items]) == collect(decode(request(long_clip)))


@needs_proc
def test_a_decoder_that_dies_twice_costs_the_video(long_clip, mark):
    items = decode_patiently(request(long_clip), DEADLINE_S)
    found = []
    for _ in range(2):
        found += [next(items) for _ in range(21)]
        [process_id] = decoders(mark)
        os.kill(process_id, signal.SIGSEGV)
    snippets, end = collect([*found, *items])
    whole, _ = collect(decode(request(long_clip)))
    count = len(snippets) // (SIZE * SIZE * 3)
    assert 42 <= count < 300
    assert whole.startswith(snippets)
    assert end == PartEnd(
        "end",
        count / 2,
        True,
        f"at {count / 2:.2f} s: the decoder died (signal 11, SIGSEGV) at snippet {count}, tried 2 times; "
        "replace or re-encode the file",
    )


def test_what_is_left_of_a_part_is_left_to_no_other():
    part = replace(VECTORS, first=16, stop=32, leads=False)
    assert part.continued(16) == part
    assert part.continued(17) == replace(part, first=17, leads=True)


def test_a_decoder_that_hangs_twice_costs_the_video(fifo):
    assert collect(decode_patiently(request(fifo, start_s=3.0), 0.5)) == (
        b"",
        PartEnd(
            "end",
            0.0,
            True,
            "the decoder hung: no snippet in 0.5 s at snippet 0, tried 2 times; "
            "replace or re-encode the file",
        ),
    )


@needs_proc
def test_a_decoder_that_hangs_once_costs_nothing_but_time(long_clip, mark, monkeypatch):
    """It hangs in the middle, on a clock that runs fast while it does."""
    items = decode_patiently(request(long_clip), DEADLINE_S)
    head = [next(items) for _ in range(21)]
    [process_id] = decoders(mark)
    ahead_s = 0.0

    def clock() -> float:
        nonlocal ahead_s
        ahead_s += DEADLINE_S if Path(f"/proc/{process_id}").exists() else 0.0
        return time.monotonic() + ahead_s

    monkeypatch.setattr(pipelines.decoder, "monotonic", clock)
    os.kill(process_id, signal.SIGSTOP)
    assert collect([*head, *items]) == collect(decode(request(long_clip)))
    assert ahead_s > DEADLINE_S


def decoders(mark: str) -> list[int]:
    return [process_id for process_id, line in marked(mark).items() if "pipelines.decoder_process" in line]


@needs_proc
def test_one_process_decodes_many_recordings(clip, mark):
    seen = set()
    for _ in range(3):
        collect(decode_patiently(request(clip), DEADLINE_S))
        seen |= set(decoders(mark))
    assert len(seen) == 1


@needs_proc
def test_a_decoder_that_is_not_needed_to_the_end_is_killed(long_clip, mark):
    items = decode_patiently(request(long_clip), DEADLINE_S)
    next(items)
    assert len(decoders(mark)) == 1
    items.close()  # pyright: ignore[reportAttributeAccessIssue] - a generator
    assert decoders(mark) == []


def test_a_decoder_starts_light():
    code = "import pipelines.decoder_process, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert {"torch", "ray", "mlflow", "pyarrow", "pandas"}.isdisjoint(loaded.split())


PARENT = """
import json, sys
from pipelines.decoder_process import Request
from pipelines.decoder import DecoderProcess
decoder = DecoderProcess()
print(decoder.process_id, flush=True)
for item in decoder.decode(Request(**json.loads(sys.argv[1])), 1000.0):
    pass
"""


@needs_proc
@pytest.mark.parametrize("state", ["hangs", "hangs in a probe", "waits for room", "waits for requests"])
def test_a_decoder_does_not_outlive_its_parent(fifo, long_clip, mark, state):
    """Even where the parent is killed."""
    asked = json.dumps(vars(request(fifo if state.startswith("hangs") else long_clip)))
    code = PARENT
    if state == "hangs in a probe":
        code = PARENT.replace("for item", "decoder.probe([json.loads(sys.argv[1])['uri']], 1000.0)\nfor item")
    if state == "waits for room":
        code = PARENT.replace("pass", "print('first', flush=True); sys.stdin.read()")
    if state == "waits for requests":
        code += "sys.stdin.read()\n"
    parent = subprocess.Popen(
        [sys.executable, "-c", code, asked], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    if state.startswith("hangs"):
        await_true(lambda: opens(child, fifo), "the decoder hangs")
    elif state == "waits for room":
        parent.stdout.readline()
    assert child in marked(mark)
    parent.kill()
    parent.wait()
    await_true(lambda: child not in marked(mark), "the decoder ends")
    parent.communicate()


def opens(process_id: int, path: Path) -> bool:
    """Whether a thread of a process is inside the system call that opens a FIFO."""
    threads = Path(f"/proc/{process_id}/task").glob("*/wchan")
    return any("wait_for_partner" in thread.read_text() for thread in threads)


def outcomes(found: Sequence[VideoInfo | VideoError]) -> list[VideoInfo | str]:
    return [str(item) if isinstance(item, VideoError) else item for item in found]


def probed(path: object) -> VideoInfo | str:
    try:
        return probe(str(path))
    except VideoError as error:
        return str(error)


def test_a_probe_in_the_other_process_finds_the_same(clip, long_clip, tmp_path):
    (tmp_path / "text.mp4").write_text("no video\n" * 50)
    encode(tmp_path / "turned.mkv", constant_rate(10, 10))
    paths = [clip, tmp_path / "text.mp4", tmp_path / "turned.mkv", tmp_path / "absent.mp4", long_clip, clip]
    expected = [probed(path) for path in paths]
    assert sorted(type(item).__name__ for item in expected) == ["VideoInfo"] * 4 + ["str"] * 2
    with closing(DecoderProcess()) as decoder:
        assert outcomes(decoder.probe([str(path) for path in paths], DEADLINE_S)) == expected
        assert collect(decoder.decode(request(clip), DEADLINE_S)) == collect(decode(request(clip)))
        assert outcomes(decoder.probe([str(clip)], DEADLINE_S)) == [probe(clip)]
        assert decoder.idle


def test_a_fault_in_a_probe_is_raised_here(clip):
    impossible: list[str] = [str(clip), 5]  # pyright: ignore[reportAssignmentType]
    with closing(DecoderProcess()) as decoder, pytest.raises(DecoderFaultError, match="TypeError"):
        decoder.probe(impossible, DEADLINE_S)
    with closing(ProbePool()) as pool, pytest.raises(DecoderFaultError, match="TypeError"):
        pool.probe(impossible)


def test_a_probe_that_hangs_is_killed(fifo):
    with closing(DecoderProcess()) as decoder:
        with pytest.raises(DecoderLostError, match=r"^the decoder hung: no answer in 0\.5 s$"):
            decoder.probe([str(fifo)], 0.5)
        assert not decoder.alive


def test_a_probe_that_hangs_costs_that_video_alone(clip, long_clip, fifo, monkeypatch):
    honest, asked = DecoderProcess.probe, []

    def impatient(
        self: DecoderProcess, uris: Sequence[str], timeout_s: float
    ) -> list[VideoInfo | VideoError]:
        asked.append(list(uris))
        return honest(self, uris, 0.5 if str(fifo) in uris else timeout_s)

    monkeypatch.setattr(DecoderProcess, "probe", impatient)
    first, hung, last = str(clip), str(fifo), str(long_clip)
    reason = "the decoder hung: no answer in 0.5 s, tried 2 times; replace or re-encode the file"
    with closing(ProbePool()) as pool:
        found = pool.probe([first, hung, last])
        assert outcomes(found) == [probe(first), f"{hung}: {reason}", probe(last)]
        assert asked == [[first, hung, last], [first], [hung], [hung], [last]]
        assert outcomes(pool.probe([first])) == [probe(first)]


@needs_proc
def test_nobody_waits_for_a_probe_that_hangs_not_even_the_end(clip, fifo, mark, monkeypatch):
    monkeypatch.setattr(pipelines.probing, "GROWTH_S", 0.0)
    with ThreadPoolExecutor(1) as thread, closing(ProbePool()) as pool:
        hung = thread.submit(pool.probe, [str(fifo)])
        await_true(lambda: any(opens(decoder, fifo) for decoder in decoders(mark)), "a decoder hangs")
        assert outcomes(pool.probe([str(clip)])) == [probe(clip)]
        assert len(decoders(mark)) == 2
        pool.close()
        with pytest.raises(CancelledError):
            hung.result(pipelines.probing.PROBE_TIMEOUT_S / 2)
        assert decoders(mark) == []
        with pytest.raises(CancelledError):
            pool.probe([str(clip)])


@needs_proc
@pytest.mark.parametrize(("growth_s", "most"), [(1e9, 1), (0.0, 4)])
def test_processes_are_kept_and_become_more_with_time(clip, mark, monkeypatch, growth_s, most):
    monkeypatch.setattr(pipelines.probing, "GROWTH_S", growth_s)
    with closing(ProbePool()) as pool, ThreadPoolExecutor(4) as threads:
        found = list(threads.map(pool.probe, [[str(clip)]] * 40))
        assert found == [[probe(clip)]] * 40
        assert 1 <= len(decoders(mark)) <= most
    assert decoders(mark) == []
