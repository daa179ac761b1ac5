"""The process of a trial: its exit code, its stop, and that it does not outlive what waits for it."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from pipelines.folder_lock import FolderLock
from pipelines.sweep.trial import Launch, run_process
from tests.pipelines.processes import MARK, await_true, marked, needs_proc

SAVES = """
import signal, sys, threading
asked = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: asked.set())
print("ready", flush=True)
asked.wait()
sys.exit(143)
"""


def launch(folder: Path, code: str) -> Launch:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return Launch([sys.executable, "-c", code], environment, str(folder), folder, folder / "train.log")


def never() -> bool:
    return False


def test_its_exit_code_and_what_it_prints(tmp_path):
    code = "import os, sys; print('told', os.getcwd()); print('more', file=sys.stderr); sys.exit(3)"
    assert run_process(launch(tmp_path, code), never) == 3
    assert run_process(launch(tmp_path, "raise SystemExit"), never) == 0
    assert (tmp_path / "train.log").read_text() == f"told {tmp_path}\nmore\n"


def test_the_signal_that_ended_it(tmp_path):
    assert run_process(launch(tmp_path, "import os; os.kill(os.getpid(), 9)"), never) == -signal.SIGKILL


def test_one_that_shall_stop_may_save_first(tmp_path):
    log = tmp_path / "train.log"
    assert run_process(launch(tmp_path, SAVES), lambda: log.exists() and "ready" in log.read_text()) == 143


def test_one_that_shall_stop_before_it_began_does_not_begin(tmp_path):
    assert run_process(launch(tmp_path, "print('begun')"), lambda: True) is None
    assert not (tmp_path / "train.log").exists()


def test_it_begins_when_the_folder_is_free(tmp_path):
    looks = []
    with FolderLock(tmp_path) as lock:
        lock.hold()

        def stops() -> bool:
            looks.append(time.monotonic())
            if len(looks) == 2:
                lock.__exit__(None, None, None)
                os.open(
                    os.devnull, os.O_RDONLY
                )  # takes the number of the descriptor that the lock closes again
            return False

        assert run_process(launch(tmp_path, "raise SystemExit"), stops) == 0
    assert len(looks) >= 2


OPEN_INPUT = """
import sys, threading
from pipelines.sweep.trial_process import end_with_input
end_with_input()
[watcher] = [thread for thread in threading.enumerate() if thread.name == "input"]
watcher.join(0.5)
sys.exit(3)
"""


def test_its_input_stays_open(tmp_path):
    assert run_process(launch(tmp_path, OPEN_INPUT), never) == 3


WAITS = """
import os, sys
from pathlib import Path
from pipelines.sweep.trial import Launch, run_process
folder = Path(sys.argv[1])
words = [sys.executable, "-m", "pipelines.sweep.trial_process", "doctor", "--help"]
words[1:] = ["-c", "from pipelines.sweep.trial_process import end_with_input; end_with_input(); "
    "import threading; print('ready', flush=True); threading.Event().wait()"]
run_process(Launch(words, dict(os.environ), os.getcwd(), folder, folder / "train.log"), lambda: False)
"""


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_what_waits_for_it(tmp_path, number):
    mark = uuid.uuid4().hex
    process = subprocess.Popen([sys.executable, "-c", WAITS, str(tmp_path)], env={**os.environ, MARK: mark})
    log = tmp_path / "train.log"
    await_true(lambda: log.exists() and "ready" in log.read_text(), "the process runs")
    process.send_signal(number)
    assert process.wait() == -number
    await_true(lambda: not marked(mark), "it has ended")
