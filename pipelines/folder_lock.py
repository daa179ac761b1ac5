"""One process at a time works in the folder of a run."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from types import TracebackType

from pipelines.run_folder import RunFolderError

LOCK_FILE = ".lock"


class FolderLock:
    """Keeps other processes out of a run's folder; a context manager that lets them in again.

    The system does that too, however the process ends.

    Args:
        root: the folder of the run.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._descriptor: int | None = None

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def hold(self) -> None:
        """Takes hold of the folder, which must exist; nothing happens where that was done before.

        Raises:
            RunFolderError: another process works there, or the folder cannot be written.
        """
        if self._descriptor is not None:
            return
        import fcntl  # not on Windows, where Ray's clusters do not run either

        path = self._root / LOCK_FILE
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise RunFolderError(
                f"{path}: cannot be written: {error.strerror}: choose another --out"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise RunFolderError(
                f"{self._root}: {holder} works there: wait for it to end, or choose another --out"
            ) from error
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"process": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        self._descriptor = descriptor


def _holder(descriptor: int) -> str:
    """The process that holds the lock, as it says itself."""
    try:
        content = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {content['process']} on {content['host']}"
    except (ValueError, LookupError, TypeError):
        return "another process"
