"""A folder of damaged and odd files, made from generated video."""

import os
import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from tests.pipelines.conftest import write_sound
from tests.streamer.video.clips import Clip, constant_rate, encode

RATE = 10
FRAMES = 40
CUTS = (0.1, 0.35, 0.6, 0.85, 0.99)
PLACES = (0.02, 0.2, 0.5, 0.8, 0.98)
CONTAINERS = (".mp4", ".mkv", ".ts", ".avi")
ODD_SIZES = ((2, 2), (16, 98), (34, 18), (1024, 16), (98, 34))
FORMATS = (".mkv", ".mov", ".avi", ".mp4")
WHOLE = ("done",)
UNREADABLE = ("failed",)
EITHER = ("done", "failed", "skipped")  # the streams of a damaged file may be lost from sight


def make_odd_files(folder: Path) -> dict[str, tuple[str, ...]]:
    """Fills a folder.

    Returns:
        For every input, by its path below the folder, the states that are right for it.
    """
    expected: dict[str, tuple[str, ...]] = {}
    for part in (_cut, _flipped, _strangers, _shapes, _links, _codecs):
        place = folder / part.__name__.strip("_")
        place.mkdir(parents=True)
        expected |= {f"{place.name}/{name}": states for name, states in part(place)}
    return expected


Named = Iterator[tuple[str, tuple[str, ...]]]


def _bases(folder: Path) -> Iterator[Path]:
    """Whole files, from which the others are made, and which are taken away after use."""
    for suffix in CONTAINERS:
        base = encode(folder / f"base{suffix}", constant_rate(FRAMES, RATE, gop=10, bframes=0))
        yield base
        base.unlink()


def _cut(folder: Path) -> Named:
    for base in _bases(folder):
        content = base.read_bytes()
        for cut in CUTS:
            name = f"{base.suffix[1:]}-{cut}{base.suffix}"
            (folder / name).write_bytes(content[: int(len(content) * cut)])
            yield name, EITHER


def _flipped(folder: Path) -> Named:
    chance = random.Random(0)
    for base in _bases(folder):
        content = base.read_bytes()
        for place in PLACES:
            name = f"{base.suffix[1:]}-{place}{base.suffix}"
            changed = bytearray(content)
            for _ in range(16):
                changed[int(len(content) * place) - chance.randrange(64)] ^= 1 << chance.randrange(8)
            (folder / name).write_bytes(bytes(changed))
            yield name, EITHER


def _strangers(folder: Path) -> Named:
    """What is no video, whatever its name says."""
    contents = {
        "empty.mp4": b"",
        "text.mp4": b"no video at all\n" * 99,
        "page.mkv": b"<!doctype html><title>404</title>" * 20,
        "noise.mp4": random.Random(1).randbytes(20_000),
        "zeros.avi": bytes(5000),
        "box.mp4": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        yield name, UNREADABLE
    write_sound(folder / "sound.m4a")
    yield "sound.m4a", ("skipped",)
    write_sound(folder / "named-video.mp4")
    yield "named-video.mp4", ("skipped",)
    picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24").to_image()
    picture.save(folder / "picture.mp4", "png")
    yield "picture.mp4", ("failed", "skipped")


def _shapes(folder: Path) -> Named:
    """Whole videos that are odd."""
    encode(folder / "one-frame.mp4", constant_rate(1, RATE))
    encode(folder / "one-frame.mkv", constant_rate(1, RATE))
    encode(folder / "gaps.mkv", Clip([0, 1, 2, 400, 401, 1200], Fraction(1, RATE)))
    encode(folder / "late.mkv", constant_rate(20, RATE, start=5000))
    encode(folder / "other.mkv", constant_rate(20, RATE))
    (folder / "other.mkv").rename(folder / "really-mkv.mp4")
    encode(folder / "other.mp4", constant_rate(20, RATE))
    (folder / "other.mp4").rename(folder / "really-mp4.avi")
    encode(folder / "named: 100% #?&'\".mp4", constant_rate(20, RATE))
    for path in sorted(folder.iterdir()):
        yield path.name, WHOLE
    for width, height in ODD_SIZES:
        name = f"{width}x{height}.mp4"
        _encode(folder / name, "libx264", "yuv420p", width, height)
        yield name, WHOLE


def _links(folder: Path) -> Named:
    hidden = encode(folder / "whole.mp4", constant_rate(20, RATE)).rename(folder / ".whole.mp4")
    (folder / "linked.mp4").symlink_to(hidden.name)
    yield "linked.mp4", WHOLE
    (folder / "dangling.mp4").symlink_to("nowhere.mp4")
    yield "dangling.mp4", UNREADABLE
    (folder / "round.mp4").symlink_to("round.mp4")
    yield "round.mp4", UNREADABLE
    locked = encode(folder / "locked.mp4", constant_rate(20, RATE))
    locked.chmod(0)
    yield locked.name, EITHER  # root may read it
    os.mkfifo(folder / "pipe.mp4")  # no input, and not to be opened


def _codecs(folder: Path) -> Named:
    """A video of every codec that PyAV can write."""
    for name in sorted(av.codecs_available):
        codec = _encoder(name)
        if codec is None:
            continue
        for suffix in FORMATS:
            path = folder / f"{name}{suffix}"
            if _can_be_written(lambda path=path, name=name, codec=codec: _encode(path, name, codec)):
                yield path.name, EITHER  # some have no decoder of their own kind
                break
            path.unlink(missing_ok=True)


def _encoder(name: str) -> str | None:
    """Pixel format that an encoder of video takes; None where there is no such encoder."""
    try:
        codec = av.Codec(name, "w")
    except (FFmpegError, ValueError):
        return None
    if codec.type != "video" or not codec.video_formats or codec.hardware_configs:
        return None
    names = [form.name for form in codec.video_formats]
    return "yuv420p" if "yuv420p" in names else names[0]


def _can_be_written(write: Callable[[], None]) -> bool:
    try:
        write()
    except (FFmpegError, ValueError, NotImplementedError, OverflowError):
        return False
    return True


def _encode(path: Path, codec: str, pix_fmt: str, width: int = 176, height: int = 144) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.thread_count = 1
        for number in range(8):
            image = np.full((height, width, 3), 30 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format=pix_fmt)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
