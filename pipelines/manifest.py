"""Manifests: tables that say which recordings, or parts of recordings, are the inputs of a run."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipelines.tables import table_rows
from streamer.errors import StreamerError

_REQUIRED = ("video_id", "uri")
_OPTIONAL = ("split", "start_s", "end_s")


class CatalogError(StreamerError):
    """Inputs that do not exist, or a manifest that cannot be read."""


@dataclass(frozen=True)
class Source:
    """One input before anything of it was read.

    Attributes:
        video_id: the id, unique in a run.
        uri: absolute path, or http(s) address.
        split: the part of the data it belongs to, such as train or validation; None if not told.
        start_s: where to begin, in seconds after the first frame.
        end_s: where to stop, in seconds after the first frame; None for the end.
    """

    video_id: str
    uri: str
    split: str | None = None
    start_s: float = 0.0
    end_s: float | None = None


def is_url(uri: str) -> bool:
    """Whether `uri` is an http(s) address."""
    return re.match("https?://", uri, re.IGNORECASE) is not None


def resolve_uri(uri: str, folder: str) -> str:
    """Returns an http(s) address as it is, and a path as an absolute one, taken from `folder` if relative.

    Raises:
        CatalogError: an address of another scheme, or none that can be taken apart.
    """
    if is_url(uri):
        try:
            urlsplit(uri)
        except ValueError as error:
            raise CatalogError(f"{uri}: is no valid address ({error}); correct it") from error
        return uri
    if re.match("[A-Za-z][A-Za-z0-9+.-]*://", uri):
        raise CatalogError(f"{uri}: only paths and http(s) addresses can be read; mount or download it first")
    return os.path.abspath(os.path.join(folder, uri))


def is_manifest(path: str) -> bool:
    """Whether a file named on the command line is a manifest, by its suffix."""
    return path.lower().endswith((".csv", ".parquet"))


def read_manifest(path: str) -> list[Source]:
    """Reads a manifest with the columns video_id, uri and, optionally, split, start_s and end_s.

    Args:
        path: a CSV file in UTF-8 with a header, or a Parquet file. Relative uris in it start from its folder;
            other columns are left alone.

    Returns:
        The inputs in the manifest's order.

    Raises:
        CatalogError: naming the file, the row and what is wrong with it.
    """
    rows = table_rows(Path(path), required=_REQUIRED, optional=_OPTIONAL, error=CatalogError)
    sources: list[Source] = []
    places: dict[str, str] = {}
    for place, record in rows:
        source = _source(f"{path}, {place}", record, os.path.dirname(path))
        earlier = places.setdefault(source.video_id, place)
        if earlier != place:
            what = f"video_id {source.video_id} is that of {earlier} too; give every row its own"
            raise CatalogError(f"{path}, {place}: {what}")
        sources.append(source)
    return sources


def _source(where: str, record: Mapping[str, Any], folder: str) -> Source:
    start_s = _seconds(where, record, "start_s") or 0.0
    end_s = _seconds(where, record, "end_s")
    if end_s is not None and end_s <= start_s:
        raise CatalogError(f"{where}: end_s {end_s:g} is not after start_s {start_s:g}")
    split = record.get("split")
    return Source(
        video_id=_text(where, record, "video_id"),
        uri=resolve_uri(_text(where, record, "uri"), folder),
        split=None if split in (None, "") else str(split),
        start_s=start_s,
        end_s=end_s,
    )


def _text(where: str, record: Mapping[str, Any], name: str) -> str:
    value = record[name]
    text = "" if value is None else str(value)
    if not text.strip() or "\0" in text:
        raise CatalogError(f"{where}: {name} is empty or has a zero byte; every row needs one")
    return text


def _seconds(where: str, record: Mapping[str, Any], name: str) -> float | None:
    value = record.get(name)
    if value in (None, ""):
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise CatalogError(f"{where}: {name} is {value!r}; a number of seconds from 0 up is needed")
    return seconds
