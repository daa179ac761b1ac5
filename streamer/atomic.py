"""Files that are either whole or absent, and file names that follow from a video's id."""

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

_MAX_NAME = 180  # bytes; leaves room for a suffix below the 200 that every common file system takes


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path in the folder of `path`; what was written there becomes `path` on leaving.

    A reader sees the old file or the whole new one, also after a crash or a loss of power. The temporary
    name starts with a dot, so that readers of Parquet folders skip what a killed process leaves behind.

    Args:
        path: the file to make or replace; its folder must exist.

    Yields:
        The path to write to. The block must create this file and close it.

    Raises:
        OSError: the file cannot be written. Whatever is raised, inside the block or here, `path` is left as
            it was and the temporary file is removed.
    """
    target = Path(path)
    temporary = target.with_name(f".{os.getpid()}-{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
        sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` durable, where folders can be opened (not on Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_name(video_id: str) -> str:
    """Names the file of a video: one path component in ASCII, different for different ids.

    The id is percent-encoded. A leading dot or underscore is encoded too, because readers of Parquet folders
    skip such names. A name that would be too long is cut and ends in `%~` and a hash of the id; no encoded id
    contains `%~`, so a cut name never meets a whole one.

    Args:
        video_id: any text that is not empty.

    Returns:
        The name without a suffix, at most 180 bytes.
    """
    assert video_id, "a video has an id"
    name = quote(video_id, safe="")
    if name[0] in "._":
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if len(name) <= _MAX_NAME:
        return name
    digest = hashlib.sha256(video_id.encode()).hexdigest()[:16]
    head = name[: _MAX_NAME - len(digest) - 2]
    return f"{re.sub('%[0-9A-F]?$', '', head)}%~{digest}"
