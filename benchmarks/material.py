"""What is measured on: scenes with camera movement and cuts, as frames, as H.264 and as vectors."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F

from streamer.config import StreamerConfig
from streamer.sources import open_source

SCENE_SNIPPETS = 12
GRAINS = (2, 8, 32)  # pixels per spot of each layer of a texture
TRAVEL = 32  # pixels over which the camera moves within a scene


def scenes(frames: int, height: int, width: int, *, scene_frames: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Yields uint8 frames `[height, width, 3]`: the camera glides over a texture, and a cut brings the next.

    Args:
        frames: how many.
        height: pixels.
        width: pixels.
        scene_frames: frames from one cut to the next.
        seed: determines the textures.
    """
    rng = np.random.default_rng(seed)
    canvas = np.zeros(0)
    for index in range(frames):
        place = index % scene_frames
        if place == 0:
            canvas = _texture(rng, height + TRAVEL, width + TRAVEL)
        angle = 2 * np.pi * place / scene_frames
        top, left = (round(TRAVEL / 2 * (1 + wave(angle))) for wave in (np.sin, np.cos))
        yield canvas[top : top + height, left : left + width]


def encode(path: Path, *, seconds: float, rate: int, height: int, width: int, scene_s: float) -> Path:
    """Encodes scenes as H.264 with B-frames, a key frame every 250 frames or at a cut."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "26", "threads": "1"}
        for image in scenes(round(seconds * rate), height, width, scene_frames=round(scene_s * rate)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image))))
        container.mux(stream.encode(None))
    return path


def vectors(count: int, dim: int, *, scene_rows: int, seed: int = 0) -> np.ndarray:
    """Float32 `[count, dim]`: every scene has a direction of its own, around which its rows scatter."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((count // scene_rows + 1, dim))
    rows = np.repeat(centres, scene_rows, axis=0)[:count] + 0.3 * rng.standard_normal((count, dim))
    return rows.astype(np.float32)


def snippets(config: StreamerConfig, count: int) -> np.ndarray:
    """Snippets that a model takes, `[count, ...]`: generated frames or vectors."""
    if config.modality == "vectors":
        return vectors(count, config.feature_dim, scene_rows=SCENE_SNIPPETS)
    size = config.frame_size
    return np.stack(list(scenes(count, size, size, scene_frames=SCENE_SNIPPETS)))


def decoded(video: Path, config: StreamerConfig, most: int) -> np.ndarray:
    """The first snippets of a video as a model takes them, `[n, H, H, 3]`.

    Raises:
        VideoError: it cannot be read.
    """
    source = open_source(str(video), snippet_size=config.snippet_size, frame_size=config.frame_size)
    with source:
        return np.stack(list(islice(source, most)))


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Coloured spots of several sizes, uint8 `[height, width, 3]`."""
    total = torch.full((1, 3, height, width), 128.0)
    for grain in GRAINS:
        spots = torch.from_numpy(rng.standard_normal((1, 3, height // grain + 2, width // grain + 2)))
        size = (height, width)
        total += 28 * F.interpolate(spots.float(), size=size, mode="bilinear", align_corners=False)
    return total[0].permute(1, 2, 0).clamp(0, 255).to(torch.uint8).numpy()
