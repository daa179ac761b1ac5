"""Processes that a test started, and all that these started, found by a mark in their environment."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

MARK = "STREAMER_TEST_MARK"
PROC = Path("/proc")
LISTENING = "0A"
DEADLINE_S = 120.0

needs_proc = pytest.mark.skipif(not (PROC / "self" / "environ").exists(), reason="needs Linux's /proc")


def await_true(condition: Callable[[], bool], what: str) -> None:
    """Waits for what other processes do."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.05)


def marked(mark: str) -> dict[int, str]:
    """Command lines of living processes whose environment carries `mark`, by process id."""
    found = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # ended meanwhile, or another user's
            continue
        if f"{MARK}={mark}".encode() in environment:
            found[int(folder.name)] = line
    return found


def listening(process_ids: set[int]) -> set[str]:
    """Local addresses, as hexadecimal numbers of the kernel, at which the processes take connections."""
    inodes = set()
    for process_id in process_ids:
        for handle in (PROC / str(process_id) / "fd").glob("*"):
            target = os.readlink(handle) if handle.is_symlink() else ""
            if target.startswith("socket:["):
                inodes.add(target[len("socket:[") : -1])
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in inodes:
                addresses.add(fields[1].rsplit(":", 1)[0])
    return addresses


def is_loopback(address: str) -> bool:
    """Whether a hexadecimal address of the kernel (little-endian words) is 127.x, ::1, or ::ffff:127.x."""
    if len(address) == 8:
        return address.endswith("7F")
    return address == "0" * 24 + "01000000" or (
        address.startswith("0" * 16 + "FFFF0000") and address.endswith("7F")
    )
