"""A training whose processes are killed again and again, and whose command is given again until it is done.

    python -m tests.pipelines.chaos --kills 20 [--seed 0] [--workers 1] [--lanes 2]

kills the driver, a training worker, the process that decodes, the task that runs it, and Ray's node, at
random moments, and then compares all results with those of a run that nobody disturbed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.checkpoints import latest
from pipelines.run_folder import RunFolder
from pipelines.store import read_signals
from streamer.hierarchy import Hierarchy
from tests.pipelines.conftest import MODEL, VIDEO_MODEL
from tests.pipelines.processes import MARK, await_true, marked
from tests.pipelines.runs import check_run, hierarchies, table
from tests.streamer.video.clips import constant_rate, encode

VICTIMS = {
    "driver": "-m pipelines train",
    "worker": "RayTrainWorker",
    "decoder": "pipelines.decoder_process",
    "task": "ray::",  # whichever of Ray's processes works for the run at that moment, the workers too
    "node": "/raylet/raylet",
}
PATIENCE_S = 600.0
MOST_STARTS = 60
RATE = 4


class Campaign:
    """One training and those who are after it.

    Args:
        root: an empty folder.
        options: of the command, beside inputs and output.
        inputs: what it reads.
        store: MLflow store.

    Attributes:
        folder: the run.
        starts: how often the command was given.
        killed: how often each kind of process was killed.
        output: all that the command printed.
    """

    def __init__(self, root: Path, inputs: Path, options: Sequence[object], store: str) -> None:
        self.folder = RunFolder(root / "run")
        self.starts = 0
        self.killed: Counter[str] = Counter()
        self.output = ""
        self._mark = uuid.uuid4().hex
        words = ["train", inputs, "--out", self.folder.root, *options]
        self._words = [sys.executable, "-m", "pipelines", *map(str, words)]
        self._log = root / "output.txt"
        environment = {**os.environ, MARK: self._mark, "MLFLOW_TRACKING_URI": store, "OMP_NUM_THREADS": "1"}
        environment.pop("RAY_ADDRESS", None)
        self._environment = environment

    def run(self, kills: Sequence[tuple[str, int]]) -> None:
        """Gives the command until the run has finished.

        Args:
            kills: one after the other, which kind of process is killed, and after how many new checkpoints.
        """
        left = list(kills)
        end = time.monotonic() + PATIENCE_S + 60 * len(left)
        while not self._attempt(left, end):
            assert self.starts < MOST_STARTS, self.output
        assert not left, f"the run ended before these were killed: {left}"

    def _attempt(self, left: list[tuple[str, int]], end: float) -> bool:
        """Gives the command once; whether the run has finished then."""
        self.starts += 1
        with self._log.open("w") as log:
            driver = subprocess.Popen(
                self._words, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
            try:
                self._hunt(driver, left)
                code = driver.wait(max(1.0, end - time.monotonic()))
            finally:
                driver.kill()
        self.output += self._log.read_text()
        # A driver whose node was killed ends by itself, with whatever Ray says.
        assert code in (0, -signal.SIGKILL) or self.killed["node"], self._log.read_text()
        return code == 0

    def _hunt(self, driver: subprocess.Popen[bytes], left: list[tuple[str, int]]) -> None:
        """Kills what is to be killed while this driver lives."""
        while left and driver.poll() is None:
            kind, checkpoints = left[0]
            due = self._serial() + checkpoints

            def ready(due: int = due) -> bool:
                return self._serial() >= due or self._finished() or driver.poll() is not None

            await_true(ready, "a checkpoint, or the end")
            if self._serial() < due:
                return
            if self._kill(kind, driver):
                left.pop(0)
                if kind in ("driver", "node"):
                    return

    def _kill(self, kind: str, driver: subprocess.Popen[bytes]) -> bool:
        """Kills one process of a kind, if there is one."""
        if kind == "driver":
            victims = [driver.pid]
        else:
            victims = [number for number, line in marked(self._mark).items() if VICTIMS[kind] in line]
        for victim in sorted(victims)[:1]:
            os.kill(victim, signal.SIGKILL)
            self.killed[kind] += 1
            return True
        return False

    def _finished(self) -> bool:
        return self.folder.run_json.exists() and self.folder.read_run()["state"] == "finished"

    def _serial(self) -> int:
        """Number of the newest checkpoint; it stays as it is when the run has finished."""
        saved = latest(self.folder.checkpoints)
        return int(saved.folder.name) if saved else 0

    def still_running(self) -> dict[int, str]:
        """Processes that the command started and that have not ended."""
        return marked(self._mark)


def results(folder: RunFolder) -> dict[str, Any]:
    """All that must be as in a run that nobody disturbed."""
    run = check_run(folder)
    rows = [{**row, "uri": None} for row in folder.read_videos()]
    return {
        "events": {name: plain(hierarchy) for name, hierarchy in hierarchies(folder).items()},
        "videos": rows,
        "parameters": run["parameters_crc32"],
        "totals": run["totals"],
        "signals": {row["video_id"]: signals(folder, row["video_id"]) for row in rows},
    }


def signals(folder: RunFolder, video_id: str) -> list[dict[str, Any]]:
    """All signals of a video."""
    stored = read_signals(folder, video_id)
    return [] if stored is None else stored.to_pylist()


def plain(hierarchy: Hierarchy) -> list[str]:
    """Rows of the events table as text, in which what is not a number equals itself."""
    return [repr(row) for row in table(hierarchy)]


def make_inputs(folder: Path, videos: int, seconds: int) -> Path:
    """Renders short videos of different lengths."""
    folder.mkdir()
    for number in range(videos):
        frames = RATE * (seconds + 7 * number)
        encode(folder / f"video{number}.mp4", constant_rate(frames, RATE, gop=12))
    return folder


def options(workers: int, lanes: int) -> list[object]:
    """Of the command: a small model, checkpoints all the time."""
    settings = ["--checkpoint_every_s", 0.3, "--workers", workers, "--lanes", lanes]
    return [*MODEL, *VIDEO_MODEL, *settings]


def main() -> None:
    """Runs a long campaign and tells how it went."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--videos", type=int, default=30)
    parser.add_argument("--seconds", type=int, default=150, help="length of the shortest video")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    kinds = [*VICTIMS]
    kills = [(kinds[number % len(kinds)], chance.randint(1, 5)) for number in range(given.kills)]
    chance.shuffle(kills)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        inputs = make_inputs(root / "inputs", given.videos, given.seconds)
        undisturbed, disturbed = root / "undisturbed", root / "disturbed"
        undisturbed.mkdir()
        disturbed.mkdir()
        store = f"sqlite:///{root}/store.db"
        settings = options(given.workers, given.lanes)
        quiet, campaign = (Campaign(place, inputs, settings, store) for place in (undisturbed, disturbed))
        begin = time.monotonic()
        quiet.run([])
        between = time.monotonic()
        print(f"undisturbed: {between - begin:.0f} s", flush=True)
        campaign.run(kills)
        print(f"{given.kills} kills: {time.monotonic() - between:.0f} s, {campaign.starts} starts")
        print("killed:", dict(campaign.killed))
        print("going on:", campaign.output.count("going on"), "times")
        same = results(quiet.folder) == results(campaign.folder)
        print("results equal to the bit" if same else "results DIFFER")
        if given.workers == 1:
            assert same


if __name__ == "__main__":
    main()
