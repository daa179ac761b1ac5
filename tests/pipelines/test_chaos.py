"""Killed at several places, a training gives what it gives undisturbed; `make chaos` is the long form."""

import pytest

from tests.pipelines.chaos import Campaign, make_inputs, options, results
from tests.pipelines.processes import await_true, needs_proc

pytestmark = [pytest.mark.ray, needs_proc]

KILLS = [("worker", 2), ("driver", 2), ("decoder", 1), ("node", 2)]


def test_a_training_that_is_killed_ends_as_if_it_had_not_been(tmp_path, store):
    inputs = make_inputs(tmp_path / "inputs", 5, 100)
    campaigns = []
    for name, kills in {"undisturbed": [], "disturbed": KILLS}.items():
        (tmp_path / name).mkdir()
        campaign = Campaign(tmp_path / name, inputs, options(workers=1, lanes=2), store)
        campaign.run(kills)
        campaigns.append(campaign)
    quiet, disturbed = campaigns
    assert dict(disturbed.killed) == {"worker": 1, "driver": 1, "decoder": 1, "node": 1}
    assert disturbed.starts == 3
    assert "a worker was lost" in disturbed.output
    assert disturbed.output.count("going on with the run") == 2
    assert results(disturbed.folder) == results(quiet.folder)
    assert len(results(quiet.folder)["events"]) == 5
    await_true(lambda: not disturbed.still_running(), "all processes have ended")
