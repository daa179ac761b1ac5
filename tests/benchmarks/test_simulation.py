"""The simulation of a training: against a loop that goes one base step of one worker at a time."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.simulation import (
    Costs,
    Disorder,
    Draws,
    Network,
    Outcome,
    active_lanes,
    draw,
    lane_lengths,
    simulate,
)

COSTS = Costs(
    forward_s={1: 1.0, 2: 1.5, 4: 2.0},
    variation=0.5,
    backward_s=0.25,
    losses=1.5,
    top_share=0.125,
    optimize_every=3,
    parameters=1000.0,
    flush_losses=8,
)
NETWORK = Network(hop_s=0.125, bytes_per_s=2000.0, ring=True)
FREE = Network(hop_s=0.0, bytes_per_s=float("inf"), ring=True)
STEADY = replace(COSTS, variation=0.0, backward_s=0.0)


def loop(
    streams: list[list[list[int]]], costs: Costs, network: Network, draws: Draws, sync_every: int, flush: str
) -> Outcome:
    """A run as an event loop: `streams` are the lengths of the videos of each lane of each worker."""
    workers, lanes = len(streams), len(streams[0])
    queues = [[list(videos) for videos in worker] for worker in streams]
    snippets = sum(sum(map(sum, worker)) for worker in streams)
    clock = [0.0] * workers
    unpaid, met = [0] * workers, [0] * workers
    joint = 0  # flushes together since the last step
    row = steps = 0
    busy = waiting = exchange = idle = 0.0
    message = network.message_s(workers)
    while True:
        begin = clock[0]
        present = [any(worker) for worker in queues]
        for w, worker in enumerate(queues):
            for place in range(row, row + sync_every):
                active = [videos for videos in worker if videos]
                if not active:
                    break
                for videos in active:
                    videos[0] -= 1
                    if videos[0] == 0:
                        videos.pop(0)
                work = costs.forward_s[len(active)] * draws.factors[place, w]
                losses = len(active) + int(draws.upper[place, w])
                before = met[w] // costs.flush_losses
                met[w] += losses
                unpaid[w] += losses
                if flush == "alone":
                    paid = (met[w] // costs.flush_losses - before) * costs.flush_losses
                    unpaid[w] -= paid
                    work += paid * costs.backward_s
                clock[w] += work * draws.slowness[w] + draws.stalls[place, w]
        row += sync_every
        latest = max(clock)
        step = sum(met) * costs.top_share >= costs.optimize_every * workers * lanes and any(present)
        flushes = sum(met) // (costs.flush_losses * workers)
        pay = step or not any(present) or (flush == "together" and flushes > joint)
        joint = flushes
        after = [unpaid[w] * costs.backward_s * draws.slowness[w] if pay else 0.0 for w in range(workers)]
        if pay:
            unpaid = [0] * workers
        if step:
            met, joint = [0] * workers, 0
            steps += 1
        gathers = network.gather_s(workers, costs) if step or not any(present) else 0.0
        end = latest + message + max(after) + gathers
        for w in range(workers):
            work = clock[w] - begin + after[w]
            busy += work
            if present[w]:
                exchange += message + gathers
                waiting += latest - clock[w] + max(after) - after[w]
            else:
                idle += end - begin - work
        clock = [end] * workers
        if not any(present):
            break
    whole = workers * end
    return Outcome(end, snippets, busy / whole, waiting / whole, exchange / whole, idle / whole, steps)


@pytest.mark.parametrize("flush", ["alone", "together"])
@pytest.mark.parametrize("sync_every", [1, 3, 10, 1000])
@pytest.mark.parametrize(("workers", "lanes"), [(1, 1), (1, 2), (3, 1), (2, 4), (5, 2)])
def test_the_simulation_equals_an_event_loop(workers, lanes, sync_every, flush):
    rng = np.random.default_rng([workers, lanes, sync_every])
    costs = replace(COSTS, forward_s={1: 1.0, 2: 1.5, 3: 1.75, 4: 2.0})
    for seed in range(4):
        streams = [
            [rng.integers(1, 40, size=rng.integers(0, 4)).tolist() for _ in range(lanes)]
            for _ in range(workers)
        ]
        streams[0][0].append(5)  # at least one has something
        lengths = np.array([[sum(videos) for videos in worker] for worker in streams])
        disorder = Disorder(spread=0.2, stall_chance=0.1, stall_s=2.0)
        draws = draw(active_lanes(lengths), costs, disorder, seed)
        expected = loop(streams, costs, NETWORK, draws, sync_every, flush)
        found = simulate(lengths, costs, NETWORK, draws, sync_every=sync_every, flush=flush)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert found.busy + found.waiting + found.exchange + found.idle == pytest.approx(1)
        if sync_every == 1 and lengths.sum() > 100:
            assert found.steps > 0, "a case without steps proves little"


def run(lengths: list[list[int]], costs: Costs = STEADY, network: Network = FREE, **options) -> Outcome:
    disorder = options.pop("disorder", Disorder())
    array = np.array(lengths)
    return simulate(
        array, costs, network, draw(active_lanes(array), costs, disorder), **{"sync_every": 1, **options}
    )


def test_equal_workers_without_disorder_never_wait():
    outcome = run([[100], [100], [100]])
    assert outcome.seconds == pytest.approx(100)
    assert outcome.busy == pytest.approx(1)
    assert outcome.waiting == pytest.approx(0, abs=1e-12)


def test_a_worker_that_ends_early_is_idle_and_does_not_wait():
    outcome = run([[100], [25]], sync_every=10)
    assert outcome.seconds == pytest.approx(100)
    # Its last barrier is the one after base step 30: it waits there for the five steps that it lacks.
    assert outcome.waiting == pytest.approx(5 / 200)
    assert outcome.idle == pytest.approx(70 / 200)


def test_an_empty_lane_makes_base_steps_cheaper_and_snippets_dearer():
    assert run([[100, 100]]).seconds == pytest.approx(150)
    assert run([[100, 50]]).seconds == pytest.approx(50 * 1.5 + 50 * 1.0)


def test_gradients_travel_only_when_a_step_is_due():
    network = Network(hop_s=0.0, bytes_per_s=4000.0, ring=True)
    still = run([[64], [64]], replace(STEADY, optimize_every=1000), network)
    assert still.steps == 0
    assert still.seconds == pytest.approx(64 + 1)  # one second for the sums at the end
    stepping = run([[64], [64]], replace(STEADY, losses=1.0), network)
    assert stepping.steps == 64 // 24  # three of the highest level, an eighth of all, need 24 snippets
    assert stepping.seconds == pytest.approx(64 + 2 + 1)


def test_small_messages_go_round_the_ring_or_up_and_down_the_tree():
    ring, tree = (Network(hop_s=1.0, bytes_per_s=1.0, ring=ring) for ring in (True, False))
    assert [ring.message_s(workers) for workers in (1, 2, 8, 512)] == [0, 2, 14, 1022]
    assert [tree.message_s(workers) for workers in (1, 2, 8, 512)] == [0, 2, 6, 18]


def test_rare_barriers_even_out_chance_but_not_a_slow_worker():
    lengths = [[2000]] * 8
    chance = replace(STEADY, variation=0.5)
    often, rarely = (run(lengths, chance, sync_every=every).waiting for every in (1, 100))
    assert often > 4 * rarely
    slow = Disorder(spread=0.2)
    often, rarely = (run(lengths, disorder=slow, sync_every=every).waiting for every in (1, 100))
    assert rarely == pytest.approx(often, rel=0.01)
    assert rarely > 0.05


def test_workers_that_flush_together_do_not_wait_for_each_others_gradients():
    lengths = [[2000]] * 8
    costs = replace(STEADY, backward_s=0.5, optimize_every=50)
    alone, together = (run(lengths, costs, flush=flush) for flush in ("alone", "together"))
    assert alone.waiting > 0.5
    assert together.waiting < 0.1
    work = [outcome.busy * outcome.seconds for outcome in (alone, together)]
    assert work[0] == pytest.approx(work[1])


def test_draws_do_not_depend_on_when_workers_meet_and_repeat_with_the_seed():
    active = active_lanes(np.array([[50, 20], [30, 30]]))
    disorder = Disorder(0.1, 0.2, 3.0)
    one, same, other = (draw(active, COSTS, disorder, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one.factors, other.factors)
    assert one.factors.mean() == pytest.approx(1, abs=0.3)


def test_videos_are_dealt_as_a_run_deals_them():
    durations = [10.2, 3.0, 7.5, 7.5, 1.0]
    lengths = lane_lengths(durations, 2, 1)
    assert lengths.tolist() == [[21 + 6 + 2], [15 + 15]]
    assert lane_lengths(durations, 1, 2).tolist() == [[29, 30]]
    assert lane_lengths(durations, 2, 1, order="round robin").tolist() == [[21 + 15 + 2], [6 + 15]]
    # Fewer videos than lanes: every worker has one before any has two.
    assert lane_lengths([3.0, 2.0, 1.0], 2, 2).tolist() == [[6, 2], [4, 0]]
    assert lane_lengths([3.0, 2.0], 2, 2).tolist() == [[6, 0], [4, 0]]
    by_chance = lane_lengths(durations, 2, 1, order="random", seed=3)
    assert by_chance.sum() == 59
