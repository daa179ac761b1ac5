"""The inputs of a run: finds files and addresses, and gives each an id."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipelines.manifest import CatalogError, Source, is_manifest, is_url, read_manifest, resolve_uri

# Not from mimetypes: it knows few of these, and takes .ass (subtitles) for sound.
VIDEO_SUFFIXES = (
    ".mp4 .m4v .mov .qt .mkv .webm .avi .ts .m2ts .mts .mpg .mpeg .mpe .m1v .m2v .vob .mxf .flv .f4v .wmv"
    " .asf .3gp .3g2 .ogv .y4m .insv .lrv .360 .dv .h264 .hevc .ivf"
)
AUDIO_SUFFIXES = ".mp2 .mp3 .m4a .aac .wav .flac .ogg .opus .wma .aif .aiff"
VECTOR_SUFFIX = ".npy"
_MEDIA_SUFFIXES = frozenset((*VIDEO_SUFFIXES.split(), *AUDIO_SUFFIXES.split(), VECTOR_SUFFIX))

_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Inputs:
    """What the arguments of a command name.

    Attributes:
        sources: every input once, with a unique id, in no particular order.
        ignored: number of files that were met in folders and are neither video, audio nor vectors.
    """

    sources: list[Source]
    ignored: int


def find_inputs(inputs: Sequence[str]) -> Inputs:
    """Finds the inputs of a run and names them; no recording is opened.

    Args:
        inputs: as for `pipelines.catalog.build_catalog`.

    Raises:
        CatalogError: an input does not exist, a manifest cannot be read, or there is no input at all.
    """
    search = _Search()
    for argument in inputs:
        search.add(argument)
    sources = search.sources()
    if not sources:
        raise CatalogError(
            f"no video found in {', '.join(inputs) or 'no input'}: in folders, files count that end in "
            f"{VIDEO_SUFFIXES} or {VECTOR_SUFFIX}; name others one by one"
        )
    return Inputs(sources, len(search.ignored))


def printable(text: str) -> str:
    """Returns text that can be written as UTF-8, from a path that may hold any bytes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class _Found:
    """A file or address that was found without a manifest.

    Attributes:
        uri: absolute path, or address.
        parts: components of the path, outermost first; of an address, the host comes first.
        depth: how many of the last parts lie below the input that led here.
    """

    uri: str
    parts: tuple[str, ...]
    depth: int

    def name(self, step: int) -> str:
        """The id to try at a step: without suffix, with it, and so on with one more folder in front."""
        more, keeps_suffix = divmod(step, 2)
        path = "/".join(self.parts[-(self.depth + more) :])
        return path if keeps_suffix else os.path.splitext(path)[0]

    @property
    def steps(self) -> int:
        """How many different ids there are to try."""
        return 2 * (len(self.parts) - self.depth + 1)


class _Search:
    """Collects inputs, each file once however often it is reached.

    Attributes:
        ignored: real paths of files met in folders that are not media.
    """

    def __init__(self) -> None:
        self.ignored: set[str] = set()
        self._found: dict[str, _Found] = {}
        self._listed: dict[str, Source] = {}

    def add(self, argument: str) -> None:
        """Takes in what one argument of the command names."""
        if not argument:
            raise CatalogError("an input is empty; give a file, a folder, a pattern or an address")
        path = resolve_uri(argument, os.getcwd())
        if is_url(path):
            address = urlsplit(path)
            parts = (address.netloc, *(unquote(part) for part in address.path.split("/") if part))
            self._found.setdefault(path, _Found(path, parts, 1))
        elif os.path.isdir(path):
            self._add_folder(path, path)
        elif os.path.isfile(path):
            self._add_named(path, os.path.dirname(path))
        elif os.path.exists(path):
            raise CatalogError(f"{argument}: is neither a file nor a folder; give one of these")
        elif _GLOB.search(argument):
            self._add_matches(path)
        else:
            raise CatalogError(f"{argument}: no such file or folder; check the spelling")

    def sources(self) -> list[Source]:
        """Returns what was collected, with unique ids; a file in a manifest is an input by that alone."""
        listed = {os.path.realpath(source.uri) for source in self._listed.values() if not is_url(source.uri)}
        listed |= {source.uri for source in self._listed.values()}
        found = [item for key, item in self._found.items() if key not in listed]
        return [*self._listed.values(), *_name_all(found, set(self._listed))]

    def _add_named(self, path: str, root: str) -> None:
        """Takes in a file that was named, whatever its suffix."""
        if is_manifest(path):
            self._add_manifest(path)
        else:
            self._add_file(path, root)

    def _add_manifest(self, path: str) -> None:
        for source in read_manifest(path):
            if self._listed.setdefault(source.video_id, source) != source:
                raise CatalogError(
                    f"{path}: video_id {source.video_id} names something else in another manifest; rename one"
                )

    def _add_file(self, path: str, root: str) -> None:
        parts = Path(printable(path)).parts[1:]
        depth = max(1, len(Path(os.path.relpath(path, root)).parts))
        self._found.setdefault(os.path.realpath(path), _Found(path, parts, depth))

    def _add_folder(self, folder: str, root: str) -> None:
        """Takes in the media below a folder; ids are paths below `root`."""
        for path in _walk(folder):
            # A folder here is one that could not be listed; its entry will say so.
            if os.path.isdir(path) or (_is_media(path) and not _is_special(path)):
                self._add_file(path, root)
            else:
                self.ignored.add(os.path.realpath(path))

    def _add_matches(self, pattern: str) -> None:
        """Takes in what a pattern matches; a suffix that the pattern spells out makes any file an input."""
        parts = Path(pattern).parts
        first = next(place for place, part in enumerate(parts) if _GLOB.search(part))
        root = os.path.join(*parts[:first])
        try:
            matches = sorted(str(match) for match in Path(root).glob(os.path.join(*parts[first:])))
        except ValueError as error:
            raise CatalogError(f"{pattern}: is no pattern for files ({error})") from error
        if not matches:
            raise CatalogError(f"{pattern}: matches nothing; check the spelling")
        for match in matches:
            if any(part.startswith(".") for part in Path(os.path.relpath(match, root)).parts if part != "."):
                continue
            if os.path.isdir(match):
                self._add_folder(match, root)
            elif os.path.isfile(match) and Path(match).suffix == Path(pattern).suffix != "":
                self._add_named(match, root)
            elif _is_media(match) and not _is_special(match):
                self._add_file(match, root)
            else:
                self.ignored.add(os.path.realpath(match))


def _walk(folder: str) -> Iterator[str]:
    """Yields files below a folder, sorted, and folders that cannot be listed; links lead nowhere twice."""
    unlisted: list[str] = []
    seen: set[str] = set()

    def note(error: OSError) -> None:
        unlisted.append(error.filename)

    for current, folders, files in os.walk(folder, onerror=note, followlinks=True):
        real = os.path.realpath(current)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(current, name) for name in sorted(files) if not name.startswith("."))
    yield from unlisted


def _is_media(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in _MEDIA_SUFFIXES


def _is_special(path: str) -> bool:
    """Whether a path is a pipe, device or the like, which may not be opened; a broken link is none."""
    return os.path.exists(path) and not os.path.isfile(path)


def _name_all(found: Sequence[_Found], taken: set[str]) -> list[Source]:
    """Gives every find the shortest id that no other has at the same step."""
    taken = set(taken)
    sources: list[Source] = []
    pending = sorted(found, key=lambda item: item.uri)
    for step in range(max((item.steps for item in found), default=0)):
        names = Counter(item.name(step) for item in pending)
        clashing = []
        for item in pending:
            name = item.name(step)
            if names[name] > 1 or name in taken:
                clashing.append(item)
                continue
            taken.add(name)
            sources.append(Source(name, item.uri))
        pending = clashing
    for item in pending:  # addresses that differ in their query alone, or ids that a manifest has taken
        name, number = item.name(0), 1
        while name in taken:
            number += 1
            name = f"{item.name(0)}-{number}"
        taken.add(name)
        sources.append(Source(name, item.uri))
    return sources
