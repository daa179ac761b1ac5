"""Features of frames, held against their definition, pixel by pixel."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streamer.features import FEATURE_DIM, centred, frame_features


def scaled(block: np.ndarray) -> np.ndarray:
    length = math.sqrt((block**2).sum())
    return block.ravel() / length if length else block.ravel()


def plain_features(frame: np.ndarray) -> np.ndarray:
    """The definition, in the order in which it is written."""
    height, width, _ = frame.shape

    def cell(y: int, x: int, n: int) -> tuple[int, int]:
        row = next(i for i in range(n) if i * height // n <= y < (i + 1) * height // n)
        return row, next(j for j in range(n) if j * width // n <= x < (j + 1) * width // n)

    colour, gradient = np.zeros((8, 8, 3)), np.zeros((8, 8, 4))
    histogram, sizes, quarters = np.zeros((2, 2, 64)), np.zeros((8, 8, 1)), np.zeros((2, 2, 1))
    pixels = frame.astype(int)
    brightness = pixels[..., 0] + 2 * pixels[..., 1] + pixels[..., 2]
    for y in range(height):
        for x in range(width):
            gx = brightness[y, x + 1] - brightness[y, x - 1] if 0 < x < width - 1 else 0
            gy = brightness[y + 1, x] - brightness[y - 1, x] if 0 < y < height - 1 else 0
            red, green, blue = pixels[y, x] // 64
            colour[cell(y, x, 8)] += pixels[y, x]
            gradient[cell(y, x, 8)] += abs(gx), abs(gx + gy) / 2**0.5, abs(gy), abs(gx - gy) / 2**0.5
            histogram[(*cell(y, x, 2), 16 * red + 4 * green + blue)] += 1
            sizes[cell(y, x, 8)] += 1
            quarters[cell(y, x, 2)] += 1
    colour = colour / sizes
    colour -= colour.mean(axis=(0, 1))
    return np.concatenate([scaled(colour), scaled(gradient / sizes), scaled(np.sqrt(histogram / quarters))])


def frames(height: int, width: int, count: int = 1, seed: int = 0) -> np.ndarray:
    """Noise of several scales, so that neither cells nor bins are all alike."""
    random = np.random.default_rng(seed)
    rough = random.integers(0, 256, (count, 4, 4, 3)).repeat(-(-height // 4), 1).repeat(-(-width // 4), 2)
    noise = random.integers(-40, 40, (count, height, width, 3))
    return np.clip(rough[:, :height, :width] + noise, 0, 255).astype(np.uint8)


@settings(deadline=None, max_examples=12)
@given(st.integers(8, 29), st.integers(8, 29), st.integers(0, 99))
def test_they_are_what_the_definition_says(height, width, seed):
    frame = frames(height, width, seed=seed)
    assert frame_features(frame)[0] == pytest.approx(plain_features(frame[0]), abs=1e-6)


def test_frames_of_the_usual_size():
    frame = frames(128, 128)
    found = frame_features(frame)
    assert found.dtype == np.float32
    assert found.shape == (1, FEATURE_DIM)
    assert found[0] == pytest.approx(plain_features(frame[0]), abs=1e-6)


@given(hnp.arrays(np.uint8, (3, 9, 10, 3)))
def test_every_block_has_length_1_or_0(pixels):
    for block in np.split(frame_features(pixels), [192, 448], axis=1):
        lengths = np.linalg.norm(block.astype(np.float64), axis=1)
        assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))


def test_a_frame_of_one_colour_has_a_histogram_alone():
    found = frame_features(np.full((1, 16, 16, 3), 77, np.uint8))[0]
    assert not found[:448].any()
    assert np.flatnonzero(found[448:]).tolist() == [21, 85, 149, 213]
    assert found[448:].max() == pytest.approx(0.5)


def test_a_frame_is_the_same_to_the_bit_in_every_batch():
    batch = frames(24, 40, count=37)
    together = frame_features(batch)
    assert np.array_equal(together, np.concatenate([frame_features(frame[None]) for frame in batch]))
    assert np.array_equal(together[5:21], frame_features(batch[5:21]))


def test_stripes_are_seen_in_their_direction():
    slope = np.arange(16, dtype=np.uint8) * 4
    right = np.broadcast_to(slope[None, :, None], (16, 16, 3))
    for image, direction in ((right, 0), (right.transpose(1, 0, 2), 2)):
        gradient = frame_features(image[None])[0, 192:448].reshape(8, 8, 4)
        assert gradient.sum(axis=(0, 1)).argmax() == direction
        assert gradient[..., 2 - direction].max() == 0


def test_no_frame_gives_no_row():
    assert frame_features(np.zeros((0, 16, 16, 3), np.uint8)).shape == (0, FEATURE_DIM)


def test_centred_features_have_mean_zero_and_keep_their_distances():
    features = frame_features(frames(16, 16, count=9))
    found = centred(features)
    assert found.dtype == np.float32
    assert np.abs(found.mean(axis=0)).max() < 1e-6
    assert found[3] - found[7] == pytest.approx(features[3] - features[7], abs=1e-6)
