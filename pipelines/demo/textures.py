"""Materials as square textures that repeat without a seam, made from noise with a power-law spectrum."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipelines.demo.vocabulary import Colour

Image = NDArray[np.floating]
"""Image of floats; colours are in 0..255."""


def fractal_noise(rng: np.random.Generator, size: int, roughness: float = 1.0, stretch: float = 1.0) -> Image:
    """Noise of many octaves that repeats with period `size`.

    Args:
        rng: source of randomness.
        size: side in pixels.
        roughness: about 0.5 is fine grain, about 2 is soft clouds drawn in few strokes when lower.
        stretch: how many times longer its features are along x than along y.

    Returns:
        Array [size, size] of mean 0 and standard deviation 1.
    """
    fy = np.fft.fftfreq(size)[:, None]
    fx = np.fft.rfftfreq(size)[None, :] * stretch
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * frequency**-roughness
    spectrum[0, 0] = 0.0
    noise = np.fft.irfft2(spectrum, s=(size, size))
    return (noise / noise.std()).astype(np.float32)


def soften(image: Image, sigma: float) -> Image:
    """Gaussian blur over the first two axes with periodic borders; `sigma` in pixels."""
    fy = np.fft.fftfreq(image.shape[0])[:, None]
    fx = np.fft.rfftfreq(image.shape[1])[None, :]
    transfer = np.exp(-2 * (np.pi * sigma) ** 2 * (fy**2 + fx**2))
    transfer = transfer.reshape(transfer.shape + (1,) * (image.ndim - 2))
    spectrum = np.fft.rfft2(image, axes=(0, 1)) * transfer
    return np.fft.irfft2(spectrum, s=image.shape[:2], axes=(0, 1)).astype(np.float32)


def material(name: str, rng: np.random.Generator, colours: tuple[Colour, Colour], size: int = 256) -> Image:
    """Draws a material.

    Args:
        name: one of `MATERIALS`.
        rng: source of randomness for grain, veins and spots.
        colours: main and second colour.
        size: side in pixels.

    Returns:
        Array [size, size, 3], float32 in 0..255, that repeats without a seam.
    """
    share = np.clip(MATERIALS[name](rng, size), -0.3, 1.3)[..., None]
    main, second = np.asarray(colours, np.float32)
    texture = main + (second - main) * share
    return np.clip(texture, 0, 255).astype(np.float32)


def _grid(size: int) -> tuple[Image, Image]:
    line = np.arange(size, dtype=np.float32) / size
    return line[:, None], line[None, :]


def _wood(rng: np.random.Generator, size: int) -> Image:
    y, _ = _grid(size)
    warp = fractal_noise(rng, size, 1.7, stretch=7)
    rings = np.sin(2 * np.pi * (5 * y + 0.35 * warp))
    grain = fractal_noise(rng, size, 0.6, stretch=12)
    planks = int(rng.integers(2, 5))
    tone = rng.uniform(-0.18, 0.18, planks)[(y * planks).astype(int) % planks]
    seam = (y * planks % 1.0) < 0.018 * planks
    return 0.4 + 0.2 * rings + 0.1 * grain + tone + 0.7 * seam


def _masonry(rng: np.random.Generator, size: int, rows: int, columns: int, offset: float) -> Image:
    y, x = _grid(size)
    row = np.floor(y * rows).astype(int) % rows
    along = (x * columns + offset * (row % 2)) % columns
    cell_tone = rng.uniform(-0.13, 0.13, (rows, columns)).astype(np.float32)
    tone = cell_tone[row, np.floor(along).astype(int) % columns]
    joint = (np.abs(along % 1.0 - 0.5) > 0.5 - 0.02 * columns / 4) | (np.abs(y * rows % 1.0 - 0.5) > 0.46)
    gloss = 0.12 * (y * rows % 1.0)
    return np.where(joint, 0.95, 0.12 + tone + gloss).astype(np.float32) + 0.05 * fractal_noise(rng, size)


def _tile(rng: np.random.Generator, size: int) -> Image:
    count = int(rng.integers(3, 6))
    return _masonry(rng, size, count, count, 0.0)


def _brick(rng: np.random.Generator, size: int) -> Image:
    return _masonry(rng, size, 8, 4, 0.5) + 0.09 * fractal_noise(rng, size, 0.7)


def _fabric(rng: np.random.Generator, size: int) -> Image:
    y, x = _grid(size)
    threads = 0.12 * np.sin(2 * np.pi * 64 * x) * np.sin(2 * np.pi * 64 * y)
    count = int(rng.integers(3, 8))
    bands = (x * count % 1.0 < rng.uniform(0.2, 0.5)).astype(np.float32)
    cross = (y * count % 1.0 < rng.uniform(0.1, 0.4)).astype(np.float32)
    return 0.12 + threads + 0.4 * bands + 0.35 * cross + 0.08 * fractal_noise(rng, size, 1.2)


def _checker(rng: np.random.Generator, size: int) -> Image:
    y, x = _grid(size)
    count = 2 * int(rng.integers(2, 5))
    odd = (np.floor(x * count) + np.floor(y * count)) % 2
    return 0.85 * odd.astype(np.float32) + 0.08 * fractal_noise(rng, size, 1.0) + 0.08


def _stone(rng: np.random.Generator, size: int) -> Image:
    _, x = _grid(size)
    veins = np.abs(np.sin(2 * np.pi * (x + 0.45 * fractal_noise(rng, size, 1.9))))
    return 0.75 * (1 - veins) ** 3 + 0.1 * fractal_noise(rng, size, 0.8) + 0.12


def _metal(rng: np.random.Generator, size: int) -> Image:
    return 0.35 + 0.16 * fractal_noise(rng, size, 0.7, stretch=24) + 0.12 * fractal_noise(rng, size, 1.8)


def _soil(rng: np.random.Generator, size: int) -> Image:
    stones = fractal_noise(rng, size, 0.9) > 1.6
    return 0.45 + 0.28 * fractal_noise(rng, size, 0.7) - 0.5 * stones


def _foliage(rng: np.random.Generator, size: int) -> Image:
    leaves = np.tanh(3 * fractal_noise(rng, size, 1.3))
    return 0.5 + 0.35 * leaves + 0.2 * fractal_noise(rng, size, 0.6)


def _paper(rng: np.random.Generator, size: int) -> Image:
    y, _ = _grid(size)
    ruled = (y * 12 % 1.0 < 0.1).astype(np.float32)
    ink = (fractal_noise(rng, size, 0.8, stretch=4) > 1.1) & (y * 12 % 1.0 > 0.45) & (y < 0.6)
    return 0.5 * ruled + 0.8 * ink + 0.03 * fractal_noise(rng, size)


def _plaster(rng: np.random.Generator, size: int) -> Image:
    return 0.35 + 0.18 * fractal_noise(rng, size, 2.0) + 0.05 * fractal_noise(rng, size, 0.4)


MATERIALS: dict[str, Callable[[np.random.Generator, int], Image]] = {
    "wood": _wood,
    "tile": _tile,
    "brick": _brick,
    "fabric": _fabric,
    "checker": _checker,
    "stone": _stone,
    "metal": _metal,
    "soil": _soil,
    "foliage": _foliage,
    "paper": _paper,
    "plaster": _plaster,
}
"""Share of the second colour at every pixel, by the material's name."""
