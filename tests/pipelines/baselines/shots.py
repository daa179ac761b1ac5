"""Videos cut together from shots."""

from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT = 96, 64


def encode_shots(path: Path, lengths: list[int], rate: int = 25) -> Path:
    """Writes shots of so many frames each; within a shot nothing but some noise changes."""
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "18"}
        for length in lengths:
            colours = random.integers(0, 230, (HEIGHT // 16, WIDTH // 16, 3))
            shot = colours.repeat(16, axis=0).repeat(16, axis=1)
            for _ in range(length):
                noise = random.integers(0, 20, (HEIGHT, WIDTH, 1))
                frame = av.VideoFrame.from_ndarray((shot + noise).astype(np.uint8), "rgb24")
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
