"""Palettes: bins against the standard library's colour space, lengths, and what they do not depend on."""

from __future__ import annotations

import colorsys
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.palette import HUES, PALETTE_DIM, SATURATIONS, frame_palettes

BYTES = st.integers(0, 255)


def frame(*pixels: tuple[int, int, int]) -> np.ndarray:
    return np.array(pixels, np.uint8).reshape(1, 1, -1, 3)


@given(BYTES, BYTES, BYTES)
def test_bins_are_those_of_hue_saturation_and_value(red, green, blue):
    palette = frame_palettes(frame((red, green, blue)))[0]
    assert np.count_nonzero(palette) == 2
    hue, saturation = divmod(int(palette[: HUES * SATURATIONS].argmax()), SATURATIONS)
    brightness = int(palette[HUES * SATURATIONS :].argmax())
    h, s, v = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    slack = 1e-9  # these are rounded where a colour is on the edge of a bin
    assert hue in {math.floor(HUES * h - slack) % HUES, math.floor(HUES * h + slack) % HUES}
    assert saturation in {min(max(math.floor(3 * s + e), 0), 2) for e in (-slack, slack)}
    assert brightness in {min(max(math.floor(3 * v + e), 0), 2) for e in (-slack, slack)}


def test_shares():
    palette = frame_palettes(frame((255, 0, 0), (255, 0, 0), (255, 0, 0), (0, 0, 0)))[0]
    assert palette[[2, 0]].tolist() == pytest.approx([0.75**0.5, 0.5])  # red, and no colour
    assert palette[48:].tolist() == pytest.approx([0.25, 0, 0.5 * 0.75**0.5])


def test_lengths_places_and_batches():
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (40, 8, 12, 3), np.uint8)
    palettes = frame_palettes(frames)
    assert palettes.shape == (40, PALETTE_DIM)
    np.testing.assert_allclose(np.linalg.norm(palettes[:, :48], axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(palettes[:, 48:], axis=1), 0.5, rtol=1e-6)
    assert (frame_palettes(frames[:, ::-1, ::-1]) == palettes).all(), "places in the frame do not matter"
    assert (np.concatenate([frame_palettes(frames[k : k + 1]) for k in range(40)]) == palettes).all()
