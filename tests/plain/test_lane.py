import numpy as np
import torch

from tests.plain.streamer import PlainStreamer
from tests.streamer.tiny import ALWAYS, tiny, vectors, watch

MANY = {"optimize_every": 10**6}


def test_the_representation_is_that_of_the_working_set_when_the_event_ended():
    config = tiny(max_levels=1, demarcation=ALWAYS)
    model = PlainStreamer(config, train=False)
    stream = vectors(3)
    hierarchy, _ = watch(model, stream)
    for event, x in zip(hierarchy.levels[0], stream, strict=True):
        expected = model.levels[0].f(x.float()[None]).detach().numpy()
        assert event.representation is not None
        np.testing.assert_allclose(event.representation, expected, rtol=1e-5, atol=1e-7)


def test_timescales_are_the_snippets_since_the_last_input():
    model = PlainStreamer(tiny(initial_levels=2, max_levels=2, learning=MANY), dtype=torch.float64)
    last = [0, 0]
    due = []
    for index, x in enumerate(vectors(60)):
        observation = model.advance(x)
        for loss, signal in zip(observation.due, reversed(observation.signals), strict=True):
            assert loss.level == signal.level
            assert loss.timescale == index - last[loss.level]
        due += observation.due
        boundary = any(s.level == 0 and s.boundary for s in observation.signals)
        last = [index, index if boundary else last[1]]
    assert max(loss.timescale for loss in due if loss.level == 1) > 1
    assert {loss.timescale for loss in due if loss.level == 0} == {1}
