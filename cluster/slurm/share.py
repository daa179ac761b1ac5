"""Writes one share of the inputs as a manifest: `share.py INPUT INDEX SHARES MANIFEST`.

A video's share follows from its id and the number of shares alone: it keeps its share when other videos are
added or taken away, and whichever task runs first.
"""

from __future__ import annotations

import csv
import sys
import zlib
from pathlib import Path

from pipelines.inputs import find_inputs  # noqa: TID251 - only streamer/ must not
from pipelines.manifest import Source  # noqa: TID251
from streamer.atomic import atomic_write
from streamer.errors import StreamerError

COLUMNS = ("video_id", "uri", "split", "start_s", "end_s")


def share_of(video_id: str, shares: int) -> int:
    """Which of `shares` shares a video belongs to."""
    return zlib.crc32(video_id.encode()) % shares


def write_share(inputs: str, index: int, shares: int, manifest: Path) -> int:
    """Writes the inputs of one share, sorted by id.

    Args:
        inputs: folder, quoted glob, manifest or file, as for `streamer segment`.
        index: of the share, from 0.
        shares: number of shares.
        manifest: CSV file to write.

    Returns:
        Number of inputs in the share.

    Raises:
        StreamerError: the inputs cannot be found or read.
    """
    if not 0 <= index < shares:
        raise StreamerError(f"share {index} of {shares}: they count from 0 to {shares - 1}: correct --array")
    found = [source for source in find_inputs([inputs]).sources if share_of(source.video_id, shares) == index]
    found.sort(key=lambda source: source.video_id)
    with atomic_write(manifest) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_row(source) for source in found)
    return len(found)


def _row(source: Source) -> list[str]:
    values = (getattr(source, column) for column in COLUMNS)
    return ["" if value is None else str(value) for value in values]


if __name__ == "__main__":
    try:
        print(write_share(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))  # noqa: T201
    except StreamerError as error:
        sys.exit(f"error: {error}")
