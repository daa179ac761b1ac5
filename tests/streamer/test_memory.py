"""Tables do not grow with time, and what is still needed stays."""

from dataclasses import replace

import pytest
import torch

from streamer.schedule import Schedule
from streamer.streamer import Streamer
from tests.streamer.tiny import ALWAYS, NEVER, tiny, vectors

SCHEDULE = Schedule(flush_losses=8, encode_ahead=4)
RARE = {"optimize_every": 10**6}


def frames(n, seed=0):
    return torch.randint(0, 256, (n, 16, 16, 3), generator=torch.Generator().manual_seed(seed)).byte()


def peak_rows(model: Streamer, stream, end_every: int | None = None) -> int:
    """Most rows that any table held while the model watched."""
    peak = 0
    for index, x in enumerate(stream):
        model.observe(x)
        tables = (model.memory.vectors, model.memory.frames, model.memory.predictions)
        peak = max(peak, *(len(table) for table in tables))
        if end_every is not None and (index + 1) % end_every == 0:
            model.end_video()
    return peak


@pytest.mark.parametrize("train", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("demarcation", [ALWAYS, NEVER], ids=["always", "never"])
@pytest.mark.parametrize("modality", ["vectors", "frames"])
def test_rows_in_use_do_not_grow_with_time(modality, demarcation, train):
    config = tiny(initial_levels=3, demarcation=demarcation, learning=RARE)
    config = replace(config, modality=modality, frame_size=16, channels=(2, 2, 2, 2))
    stream = vectors(400) if modality == "vectors" else frames(400)
    short = peak_rows(Streamer(config, train=train, schedule=SCHEDULE), stream[:100])
    assert peak_rows(Streamer(config, train=train, schedule=SCHEDULE), stream) <= short + 2


@pytest.mark.parametrize("train", [True, False], ids=["training", "inference"])
def test_videos_of_one_snippet_do_not_fill_the_tables(train):
    model = Streamer(tiny(learning=RARE), train=train, schedule=SCHEDULE)
    assert peak_rows(model, vectors(300), end_every=1) < 80


def test_lanes_multiply_the_rows_in_use_but_not_over_time():
    def peak(base_steps):
        model = Streamer(tiny(initial_levels=2, learning=RARE), lanes=3, schedule=SCHEDULE)
        for lane in range(3):
            model.offer(vectors(base_steps, lane), lane)
        most = 0
        for _ in range(base_steps):
            model.advance()
            model.barrier()
            most = max(most, len(model.memory.vectors))
        return most

    assert peak(300) <= peak(100) + 6


def test_inference_keeps_nothing_for_learning():
    model = Streamer(tiny(), train=False)
    model.offer(vectors(40))
    for _ in range(40):
        model.advance()
    assert model.learner is None
    assert not model.memory.made
    assert all(parameter.grad is None for parameter in model.levels.parameters())
