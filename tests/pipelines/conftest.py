"""Inputs and commands that several tests of the pipelines use."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from pipelines.cli import main
from pipelines.run_folder import RunFolder
from pipelines.session import ray_session
from tests.streamer.video.clips import constant_rate, encode

SECONDS = {"a": 6, "b": 10, "c": 8, "d": 7}
RATE = 10
VIDEO_MODEL = ["--model.frame_size=16", "--model.channels=[4,4,8,8]"]
MODEL = [
    "--recipe=release",
    "--model.feature_dim=16",
    "--model.evolve_every=4",
    "--model.force_fixed_buffer=true",
    "--model.learning.lr=1e-3",
    "--model.learning.optimize_every=1",
]
ADAPTIVE = ["--model.feature_dim=64", "--model.frame_size=16"]


@dataclass(frozen=True)
class Finished:
    """A command that has ended.

    Attributes:
        folder: its run.
        code: its exit code.
        output: what it printed.
    """

    folder: RunFolder
    code: int
    output: str


Train = Callable[..., Finished]


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[str]:
    """The one Ray session of all tests, on this machine; gives its address. Commands use it as it is."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("RAY_ADDRESS", raising=False)
        with ray_session(workers=4, decode_cpus=0.5):
            import ray

            yield ray.get_runtime_context().gcs_address


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of short videos a to d of different lengths."""
    folder = tmp_path_factory.mktemp("clips")
    for name, seconds in SECONDS.items():
        encode(folder / f"{name}.mp4", constant_rate(seconds * RATE, RATE))
    return folder


@pytest.fixture(scope="session")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of inputs that are no whole videos, and one that is."""
    folder = tmp_path_factory.mktemp("damaged")
    encode(folder / "good.mp4", constant_rate(60, RATE))
    (folder / "text.mp4").write_text("no video at all\n" * 50)
    whole = encode(folder / "cut.mkv", constant_rate(80, RATE, bframes=0)).read_bytes()
    (folder / "cut.mkv").write_bytes(whole[: len(whole) * 3 // 5])
    write_sound(folder / "sound.m4a")
    return folder


def write_sound(path: Path) -> None:
    """Writes a second of silence without any picture."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux([*stream.encode(frame), *stream.encode(None)])


def write_vectors(path: Path, rows: int, dim: int = 16, seed: int = 0) -> Path:
    """Writes features that change every few rows."""
    random = np.random.default_rng(seed)
    scenes = random.standard_normal((rows // 5 + 1, dim)).repeat(5, axis=0)[:rows]
    np.save(path, (scenes + 0.3 * random.standard_normal((rows, dim))).astype(np.float32))
    return path


@pytest.fixture(scope="session")
def served(clips: Path) -> Iterator[str]:
    """Address of a web server on this machine that serves the clips."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(clips)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tracking store that most runs share: a fresh one takes seconds to make."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/shared.db"


@pytest.fixture
def command(
    tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Train:
    """Runs a command with a small model, its output folder added."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def call(name: str, *words: object, out: str = "run") -> Finished:
        code = main([name, *map(str, words), "--out", str(tmp_path / out)])
        captured = capfd.readouterr()
        return Finished(RunFolder(tmp_path / out), code, captured.out + captured.err)

    return call
