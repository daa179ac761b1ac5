"""Decoded snippets on disk, for runs that read the same recordings again.

    CACHE/identities/PATH.json              what the file at a path contained when it was last read
    CACHE/CONTENT/SETTINGS/part-000000.npy  snippets 0 to 511, uint8 [n, H, W, 3]; then a checksum of 4 bytes
    CACHE/CONTENT/SETTINGS/end.json         how many snippets there are, and how the recording ends

CONTENT is a hash of the recording's bytes, so copies and renamed files share an entry. SETTINGS is a hash of
all that decides what a snippet looks like, the decoder's version included. Files are written under temporary
names and renamed: several runs may use one cache at the same time, also from several machines. What is not
whole counts as missing and is replaced when its snippets are stored again. A writer that is killed may leave
a temporary file (`.*.tmp`), which nobody reads.

Features in `.npy` files are not cached, as they are read from the disk anyway, and neither are addresses,
whose content cannot be known without fetching it.
"""

import errno
import hashlib
import io
import json
import os
import platform
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streamer.atomic import atomic_write
from streamer.errors import StreamerError
from streamer.sources import Decoder, is_vectors
from streamer.video import decoder_version

PART_SNIPPETS = 512
FORMAT_VERSION = 1  # to be raised with every change of the files, or of the frames that readers choose
READ_BYTES = 1 << 20
CHECKSUM_BYTES = 4
NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


class CacheError(StreamerError):
    """A cache that cannot be used."""


@dataclass(frozen=True)
class SnippetSettings:
    """What decides, beside the recording, which snippets there are and what they look like.

    Attributes:
        snippet_size: seconds per snippet.
        frame_size: height and width of frames in pixels.
        start_s: where snippets begin, in seconds after the first frame.
        end_s: where they end; None for the end of the recording.
        decoder: which library decodes.
    """

    snippet_size: float
    frame_size: int
    start_s: float = 0.0
    end_s: float | None = None
    decoder: Decoder = "pyav"

    def key(self) -> str:
        """A name for these settings with this decoder's version on this kind of processor."""
        versions = (FORMAT_VERSION, decoder_version(self.decoder), platform.machine())
        end_s = None if self.end_s is None else float(self.end_s)
        grid = (float(self.snippet_size), self.frame_size, float(self.start_s), end_s)
        return _digest(json.dumps([grid, self.decoder, versions]).encode())


class RecordingEnd(NamedTuple):
    """How a recording ends that could be read to its end.

    Attributes:
        snippets: how many there are.
        duration_s: measured seconds that they cover.
        reason: what was wrong, such as an end before the declared one; None if nothing was.
    """

    snippets: int
    duration_s: float
    reason: str | None


class _Identity(NamedTuple):
    """A file as it was when its content was hashed."""

    path: str
    size: int
    mtime_ns: int


class SnippetCache:
    """A folder of decoded snippets.

    A cache that may only be read serves what it holds; storing raises.

    Args:
        folder: where it lies, or is to lie.

    Raises:
        CacheError: the folder cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        with _writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)

    def recording(self, uri: str, settings: SnippetSettings) -> "CachedRecording | None":
        """The cache's entry for a recording; reads the whole file where it is not known yet.

        Args:
            uri: file or address.
            settings: how its snippets are cut.

        Returns:
            The entry, which may be empty. None for what is not cached: vectors, addresses, files that cannot
            be read (the decoder will say why) or that change while they are read.

        Raises:
            CacheError: the cache cannot be read, or its disk is full.
        """
        if is_vectors(uri) or "://" in uri:
            return None
        identity = _identify(uri)
        content = identity and self._content(identity)
        if identity is None or content is None:
            return None
        return CachedRecording(self._folder / content / settings.key(), settings.frame_size, identity)

    def _content(self, identity: _Identity) -> str | None:
        """The hash of a file's bytes; None if it cannot be read or changes meanwhile."""
        memo = self._folder / "identities" / f"{_digest(os.fsencode(identity.path))}.json"
        known = _read_record(memo)
        if known is not None and known[:-1] == list(identity):
            return str(known[-1])
        content = _hash_file(identity.path)
        if content is None or _identify(identity.path) != identity:
            return None
        try:
            _write_record(memo, [*identity, content])
        except OSError as error:
            # Where the cache may only be read, it is hashed again next time.
            if error.errno not in NOT_WRITABLE:
                raise _unwritable(self._folder, error) from error
        return content


class CachedRecording:
    """The snippets of one recording with one kind of settings, in parts of `PART_SNIPPETS`.

    Part p holds the snippets from `p * PART_SNIPPETS` on; only the last one holds fewer than `PART_SNIPPETS`.
    """

    def __init__(self, folder: Path, frame_size: int, identity: _Identity) -> None:
        self._folder = folder
        self._frame = (frame_size, frame_size, 3)
        self._identity = identity

    def part(self, number: int) -> np.ndarray | None:
        """The snippets of a part, uint8 [n, H, W, 3], mapped into memory and not writable; None if missing.

        Raises:
            CacheError: the cache cannot be read.
        """
        path = self._path(number)
        try:
            with open(path, "rb") as file:
                return _map_part(file, self._frame)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(path, error) from error

    def store_part(self, number: int, snippets: np.ndarray) -> None:
        """Stores the snippets of a part, uint8 [n, H, W, 3] with n from 1 to `PART_SNIPPETS`.

        Stores nothing if the recording's file has changed since this entry was looked up.

        Raises:
            CacheError: the cache cannot be written.
        """
        assert number >= 0, number
        assert snippets.dtype == np.uint8, snippets.dtype
        assert snippets.shape[1:] == self._frame, snippets.shape
        assert 1 <= len(snippets) <= PART_SNIPPETS, len(snippets)
        if self._outdated():
            return
        data = np.ascontiguousarray(snippets)
        with _writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path(number)) as temporary, open(temporary, "wb") as file:
                file.write(_header(data.shape))
                file.write(data.data)
                file.write(_checksum(data))

    @property
    def end(self) -> RecordingEnd | None:
        """How the recording ends; None if that is not stored.

        Raises:
            CacheError: the cache cannot be read.
        """
        record = _read_record(self._folder / "end.json")
        return None if record is None else RecordingEnd(*record)

    def store_end(self, end: RecordingEnd) -> None:
        """Stores how the recording ends.

        The end of a recording that broke is better not stored: that may be due to a disk or a network.
        Stores nothing if the recording's file has changed since this entry was looked up.

        Raises:
            CacheError: the cache cannot be written.
        """
        if self._outdated():
            return
        with _writing(self._folder):
            _write_record(self._folder / "end.json", list(end))

    def _path(self, number: int) -> Path:
        return self._folder / f"part-{number:06d}.npy"

    def _outdated(self) -> bool:
        return _identify(self._identity.path) != self._identity


def _identify(path: str) -> _Identity | None:
    """Path, size and time of change of a file; None if it is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return _Identity(os.path.abspath(path), status.st_size, status.st_mtime_ns)


def _hash_file(path: str) -> str | None:
    """A hash of a file's bytes; None if it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb") as file:
            while block := file.read(READ_BYTES):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _header(shape: tuple[int, ...]) -> bytes:
    """What a `.npy` file of this shape begins with."""
    buffer = io.BytesIO()
    description = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, description)
    return buffer.getvalue()


def _checksum(data: np.ndarray) -> bytes:
    return zlib.crc32(data.data).to_bytes(CHECKSUM_BYTES, "big")


def _map_part(file: io.BufferedReader, frame: tuple[int, int, int]) -> np.ndarray | None:
    """The array in a file; None if the file is not exactly what `store_part` writes."""
    header_bytes = len(_header((PART_SNIPPETS, *frame)))
    frame_bytes = frame[0] * frame[1] * frame[2]
    size = os.fstat(file.fileno()).st_size
    count, rest = divmod(size - header_bytes - CHECKSUM_BYTES, frame_bytes)
    shape = (count, *frame)
    if rest or not 1 <= count <= PART_SNIPPETS or file.read(header_bytes) != _header(shape):
        return None
    snippets = np.memmap(file, np.uint8, mode="r", offset=header_bytes, shape=shape)
    file.seek(size - CHECKSUM_BYTES)
    return snippets if file.read() == _checksum(snippets) else None


def _read_record(path: Path) -> list[Any] | None:
    """The fields that `_write_record` wrote; None if the file is missing or damaged."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    fields, _, digest = text.rpartition(b"\n")
    return json.loads(fields) if digest == _digest(fields).encode() else None


def _write_record(path: Path, fields: list[Any]) -> None:
    """Writes fields as one line of JSON, and a line with its hash."""
    line = json.dumps(fields, allow_nan=False).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_bytes(line + b"\n" + _digest(line).encode())


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns errors of the file system into one that names the cache."""
    try:
        yield
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(path: Path, error: OSError) -> CacheError:
    what = error.strerror or type(error).__name__
    return CacheError(f"{path}: the snippet cache cannot be written ({what}); mend it or choose another one")


def _unreadable(path: Path, error: OSError) -> CacheError:
    what = error.strerror or type(error).__name__
    return CacheError(f"{path}: the snippet cache cannot be read ({what}); mend it or choose another one")
