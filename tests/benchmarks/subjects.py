"""Tiny models to be measured, on streams in files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import material
from benchmarks.subject import Subject
from streamer.config import StreamerConfig
from tests.streamer.tiny import tiny

SNIPPETS = 40


def tiny_model(modality: str = "vectors", **learning: Any) -> StreamerConfig:
    """Three levels, which end events every few snippets; no step falls due by itself."""
    return tiny(
        modality=modality,
        frame_size=16,
        channels=(2, 2, 2, 2),
        initial_levels=3,
        force_fixed_buffer=True,
        learning={"optimize_every": 10_000, **learning},
    )


def tiny_subject(folder: Path, config: StreamerConfig, **changes: Any) -> Subject:
    """An engine of two lanes that learns over 20 base steps, and the file of its stream."""
    path = folder / f"{config.modality}.npy"
    np.save(path, material.snippets(config, SNIPPETS))
    subject = Subject(
        config=config,
        stream=str(path),
        train=True,
        lanes=2,
        precision="float32",
        base_steps=20,
        device="cpu",
        threads=torch.get_num_threads(),
    )
    return replace(subject, **changes)
