"""The catalog: one row per input, with what a probe found out about it."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Literal

from pipelines.inputs import find_inputs, printable
from pipelines.manifest import Source, is_url
from pipelines.probing import ProbePool
from streamer.errors import VideoError
from streamer.sources import is_vectors
from streamer.vectors import probe_vectors
from streamer.video import VideoInfo

BATCH = 16  # files probed at one request, which fits into a pipe and takes seconds at most

Probe = Callable[[Sequence[str]], list[VideoInfo | VideoError]]


@dataclass(frozen=True)
class CatalogEntry:
    """One input.

    Attributes:
        video_id: the id, unique in a catalog.
        uri: absolute path, or http(s) address.
        kind: whether it holds a video, or one vector per snippet.
        duration_s: seconds between `start_s` and the declared end, or `end_s` if that is earlier; None where
            the container does not tell.
        width: pixels, as displayed; None for vectors, as are codec and fps.
        height: pixels, as displayed.
        codec: name of the video codec.
        fps: average frames per second; None where unknown.
        dim: D, the width of the vectors; None for videos.
        split: the part of the data it belongs to, as a manifest says.
        start_s: where to begin, in seconds after the first frame.
        end_s: where to stop, in seconds after the first frame; None for the end.
        status: `ready` to be read; `failed` if it cannot be read; `skipped` if there is nothing to see in it.
        reason: why it is not ready, in one line without the uri; None if it is.
    """

    video_id: str
    uri: str
    kind: Literal["video", "vectors"]
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    codec: str | None = None
    fps: float | None = None
    dim: int | None = None
    split: str | None = None
    start_s: float = 0.0
    end_s: float | None = None
    status: Literal["ready", "failed", "skipped"] = "ready"
    reason: str | None = None


@dataclass(frozen=True)
class Catalog:
    """All inputs of a run.

    Attributes:
        entries: in the order of their ids.
        ignored: number of files that were met in folders and are neither video, audio nor vectors.
    """

    entries: tuple[CatalogEntry, ...]
    ignored: int


def build_catalog(
    inputs: Sequence[str],
    *,
    snippet_size: float,
    probes: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> Catalog:
    """Finds the inputs of a run, names and probes them.

    Args:
        inputs: files, folders (searched in full, hidden ones left out), patterns with `*`, `?`, `[...]` and
            `**`, http(s) addresses, and manifests (`.csv`, `.parquet`).
        snippet_size: seconds per row of vectors.
        probes: number of inputs that are probed at the same time.
        progress: called with the number of inputs probed so far and of all.

    Returns:
        One entry per input, also for those that cannot be read. Ids come from manifests; else they are paths
        below the folder given, without suffix, made longer where two would be the same.

    Raises:
        CatalogError: an input does not exist, a manifest cannot be read, or there is no input at all.
    """
    assert snippet_size > 0, snippet_size
    assert probes > 0, probes
    found = find_inputs(inputs)
    entries = _inspect_all(found.sources, snippet_size, probes, progress)
    return Catalog(tuple(sorted(entries, key=lambda entry: entry.video_id)), found.ignored)


def _inspect_all(
    sources: Sequence[Source], snippet_size: float, probes: int, progress: Callable[[int, int], None] | None
) -> list[CatalogEntry]:
    """Probes several inputs at a time; the order of the entries is that of the sources."""
    size = min(BATCH, max(1, len(sources) // (4 * probes)))
    if any(is_url(source.uri) for source in sources):  # each may take long
        size = 1
    batches = [sources[first : first + size] for first in range(0, len(sources), size)]
    pool, futures = ProbePool(), []
    with ThreadPoolExecutor(max_workers=probes) as threads:
        try:
            futures += [threads.submit(_inspect, batch, snippet_size, pool.probe) for batch in batches]
            done = 0
            for future in as_completed(futures):
                for _ in future.result():
                    done += 1
                    if progress is not None:
                        progress(done, len(sources))
        finally:
            for future in futures:  # after an error or Ctrl-C, those that have not begun
                future.cancel()
            pool.close()  # so that nothing waits for those that have
    return [entry for future in futures for entry in future.result()]


def _inspect(sources: Sequence[Source], snippet_size: float, probe: Probe) -> list[CatalogEntry]:
    """Probes some inputs; what cannot be read becomes an entry with the reason."""
    entries = [_unprobed(source) for source in sources]
    videos = [entry.uri for entry in entries if entry.kind == "video" and entry.status == "ready"]
    found = dict(zip(videos, probe(videos), strict=True))
    return [
        _described(entry, snippet_size, found.get(entry.uri)) if entry.status == "ready" else entry
        for entry in entries
    ]


def _unprobed(source: Source) -> CatalogEntry:
    entry = CatalogEntry(
        video_id=source.video_id,
        uri=printable(source.uri),
        kind="vectors" if is_vectors(source.uri) else "video",
        split=source.split,
        start_s=source.start_s,
        end_s=source.end_s,
    )
    fault = None if is_url(source.uri) else _path_fault(source.uri)
    return entry if fault is None else replace(entry, status="failed", reason=fault)


def _described(
    entry: CatalogEntry, snippet_size: float, found: VideoInfo | VideoError | None
) -> CatalogEntry:
    """Enters what a probe found out; vectors are looked at here."""
    try:
        if entry.kind == "vectors":
            return _with_vectors(entry, snippet_size)
        if isinstance(found, VideoError):
            raise found
        assert found is not None, entry.uri
        return _with_video(entry, found)
    except VideoError as error:
        reason = " ".join(error.reason.split())
        if "no video stream" in reason:
            return replace(entry, status="skipped", reason="no video stream")
        return replace(entry, status="failed", reason=reason)


def _path_fault(path: str) -> str | None:
    """What keeps a path from being opened at all; None if nothing does."""
    if path != printable(path):
        return "its name is not valid UTF-8; rename it"
    if os.path.isdir(path):
        listable = os.access(path, os.R_OK | os.X_OK)
        return (
            "is a folder; name files instead"
            if listable
            else "the folder cannot be listed; check its permissions"
        )
    if not os.path.exists(path):
        return "no such file; check the path"
    return None if os.path.isfile(path) else "is no regular file; give a file"


def _with_video(entry: CatalogEntry, info: VideoInfo) -> CatalogEntry:
    entry = replace(entry, width=info.width, height=info.height, codec=info.codec, fps=info.fps)
    # An estimated duration may be far off: the decoder will tell whether start_s is too late.
    if info.duration_s is None or (not info.stored and info.duration_s <= entry.start_s):
        return replace(entry, duration_s=None if entry.end_s is None else entry.end_s - entry.start_s)
    return _cut(entry, info.duration_s)


def _with_vectors(entry: CatalogEntry, snippet_size: float) -> CatalogEntry:
    rows, dim = probe_vectors(entry.uri)
    return _cut(replace(entry, dim=dim), rows * snippet_size)


def _cut(entry: CatalogEntry, total_s: float) -> CatalogEntry:
    """Enters the duration of what lies between start_s and end_s."""
    if entry.start_s >= total_s:
        reason = f"start_s {entry.start_s:g} is not before the end at {total_s:g} s; correct the manifest"
        return replace(entry, status="failed", reason=reason)
    end_s = total_s if entry.end_s is None else min(entry.end_s, total_s)
    return replace(entry, duration_s=end_s - entry.start_s)
