"""A node on which SLURM, Ray and this project's command are stubs that write down how they were called."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.manifests import PROJECT

SCRIPTS = PROJECT / "cluster" / "slurm"
LIMIT_S = 60.0  # after which a script that hangs fails its test

NOTE = """#!{python} -IS
import json, os, signal, sys
from pathlib import Path
name, words = Path(sys.argv[0]).name, sys.argv[1:]
node = Path({node!r})
kept = {{key: value for key, value in os.environ.items() if key.startswith("RAY_")}}
with open(node / "calls", "a") as calls:
    calls.write(json.dumps([name, words, kept]) + "\\n")
"""
RUN_STEP = """
while words[0].startswith("--"):
    words.pop(0)
os.execvp(words[0], words)
"""
RUN_ENTRY_POINT = """
if os.environ["STUB_RAY"] == "starting":
    (node / "ready").write_text("!")
    signal.pause()
if os.environ["STUB_RAY"] == "fails":
    sys.exit(0)
import subprocess
sys.exit(subprocess.run(words[words.index("--") + 1 :]).returncode)
"""
RUN_DRIVER = """
out, behaviour = Path(words[words.index("--out") + 1]), os.environ["STUB_DRIVER"]
def finish():
    out.mkdir(parents=True, exist_ok=True)
    (out / "_SUCCESS").touch()
def stop(*_):
    (node / "checkpoint").touch()
    if behaviour == "finishes at TERM":
        finish()
        sys.exit(0)
    if behaviour != "ignores TERM":
        sys.exit(143)
if behaviour == "succeeds":
    finish()
elif behaviour == "fails":
    sys.exit(3)
elif behaviour != "leaves no marker":
    signal.signal(signal.SIGTERM, stop)
    (node / "ready").write_text("!")
    while True:
        signal.pause()
"""
PROGRAMS = {
    "srun": NOTE + RUN_STEP,
    "ray": NOTE + RUN_ENTRY_POINT,
    "streamer": NOTE + RUN_DRIVER,
    "scontrol": NOTE,
    "squeue": NOTE + 'print(os.environ["STUB_STATE"])',
    "sleep": """#!/bin/sh\necho '["sleep", ["'"$1"'"], {{}}]' >>'{node}/calls'\n""",
    "hostname": NOTE + 'print(os.environ["STUB_" + (words[0] if words else "NAME")])',
}


@dataclass
class Call:
    """One call of a program.

    Attributes:
        name: the program.
        words: its arguments.
        ray: environment variables of Ray that it saw.
    """

    name: str
    words: list[str]
    ray: dict[str, str]


@dataclass
class Node:
    """One compute node, and what a batch script finds there.

    Attributes:
        root: an empty folder.
        environment: variables of the job, to be changed before `run`.
    """

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        programs = self.root / "environment" / "bin"
        programs.mkdir(parents=True)
        (programs / "activate").write_text(f"PATH={programs}:$PATH\n")
        for name, body in PROGRAMS.items():
            (programs / name).write_text(body.format(python=sys.executable, node=str(self.root)))
            (programs / name).chmod(0o755)
        (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (programs / "python").chmod(0o755)
        os.mkfifo(self.root / "ready")
        self.out = self.root / "runs" / "run"
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.root),
            "PYTHONPATH": str(PROJECT),
            "STREAMER_ENV": str(programs.parent),
            "STREAMER_OUT": str(self.out),
            "STREAMER_SCRIPTS": str(SCRIPTS),
            "SLURM_JOB_ID": str(900_000_000 + os.getpid()),
            "SLURM_JOB_NAME": "streamer-test",
            "SLURM_JOB_NUM_NODES": "3",
            "SLURM_CPUS_PER_TASK": "16",
            "SLURM_GPUS_ON_NODE": "2",
            "STUB_NAME": "n1",
            "STUB_--ip-address": "10.1.0.1",
            "STUB_--all-ip-addresses": "10.1.0.1",
            "STUB_STATE": "RUNNING",
            "STUB_RAY": "works",
            "STUB_DRIVER": "succeeds",
        }

    def run(self, script: str, *, term: bool = False) -> tuple[int, str]:
        """Runs a batch script to its end.

        Args:
            script: file in cluster/slurm/.
            term: send TERM to the script alone, as SLURM does, once a program reports that it waits for it.

        Returns:
            Exit code and output.
        """
        with open(self.root / "log", "w") as log:  # a pipe would stay open in a driver left over
            process = subprocess.Popen(
                ["bash", str(SCRIPTS / script)],
                env=self.environment,
                cwd=self.root,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            if term:
                self._wait_until_ready()
                process.terminate()
            status = process.wait(timeout=LIMIT_S)
        finally:
            self._end(process)
        return status, (self.root / "log").read_text()

    def calls(self, name: str) -> list[Call]:
        """Calls of a program so far."""
        path = self.root / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call for call in (Call(*json.loads(line)) for line in lines) if call.name == name]

    def _wait_until_ready(self) -> None:
        descriptor = os.open(self.root / "ready", os.O_RDWR)  # unlike reading, does not wait for a writer
        try:
            assert select.select([descriptor], [], [], LIMIT_S)[0], "no program waits for TERM"
        finally:
            os.close(descriptor)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        try:
            os.killpg(process.pid, signal.SIGKILL)  # what a test left behind, in the script's own session
        except ProcessLookupError:
            return
        finally:
            process.wait()
