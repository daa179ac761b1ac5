"""What only a CUDA device can show; other tests run there as well where there is one."""

import warnings
from dataclasses import replace

import pytest
import torch

from streamer.streamer import Streamer
from tests.streamer.tiny import NEVER, tiny

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

RARE = {"optimize_every": 10**6}
CONFIG = tiny(force_fixed_buffer=True, demarcation=NEVER, initial_levels=3, learning=RARE)
MIXING = replace(CONFIG, residual=True, center=True, shortcut=True, mixing=True, recall=12)
FRAMES = replace(CONFIG, modality="frames", frame_size=16, channels=(4, 4, 8, 8))


def waits_of(action) -> int:
    """How often the host waited for the device."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            action()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in caught)


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("config", [CONFIG, MIXING, FRAMES], ids=["vectors", "mixing", "frames"])
def test_the_host_waits_once_per_level_and_base_step(config, lanes):
    model = Streamer(config, lanes=lanes, device="cuda")
    shape = (60, 8) if config.modality == "vectors" else (60, 3, 16, 16)
    for lane in range(lanes):
        model.offer(torch.rand(shape), lane)

    def base_step():
        signals = model.advance()
        model.barrier()
        levels.update(signal.level for lane in signals for signal in lane)

    for _ in range(30):
        levels: set[int] = set()
        waits = waits_of(base_step)
        assert waits <= len(levels)
