"""Tables for planning: what they are made from, and that they are made."""

import argparse

import pytest

from benchmarks import __main__ as command
from benchmarks import planning
from benchmarks.planning import GOALSTEP_S, KITCHENS_S, MODELS, Options, decode_cpus, read_durations, sample
from streamer.errors import ConfigError


def test_lengths_are_read_from_a_column_of_seconds(tmp_path):
    path = tmp_path / "library.csv"
    path.write_text("video_id,duration,fps\na,12.5,30\nb,7,25\n")
    assert read_durations(path) == [12.5, 7.0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("video_id,seconds\na,3\n", "no column duration_s or duration"),
        ("duration_s\nlong\n", "could not convert"),
        ("duration_s\n", "at least one length"),
        ("duration_s\n-1\n", "positive"),
        ("duration_s\nnan\n", "positive"),
    ],
)
def test_a_file_without_lengths_is_refused_in_one_line(tmp_path, text, reason):
    path = tmp_path / "library.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        read_durations(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_sample_follows_the_quantiles():
    lengths = sorted(sample((10, 20, 40), 1000))
    assert lengths[0] == pytest.approx(10, abs=0.1)
    assert lengths[500] == pytest.approx(20, abs=0.1)
    assert lengths[-1] == pytest.approx(40, abs=0.1)
    assert sample((10, 20, 40), 1000) == sample((10, 20, 40), 1000)


def test_the_libraries_hold_about_as_many_hours_as_those_that_they_stand_for():
    assert sum(sample(KITCHENS_S, 700)) / 3600 == pytest.approx(100, rel=0.05)
    assert sum(sample(GOALSTEP_S, 134)) / 3600 == pytest.approx(62.5, rel=0.05)


def test_decoders_of_real_time_speed_are_needed_once_per_stream():
    # Half a second of CPU time for half a second of video, and a worker that takes two of them per second.
    assert decode_cpus(2.0, 0.5) == 1.0


def test_arguments_replace_costs():
    parser = argparse.ArgumentParser()
    planning.add_arguments(parser.add_argument_group("simulation"))
    words = ["--costs", "gpu", "--forward_ms", "8=4", "1=2.5", "--backward_ms", "0.25", "--gbit", "8"]
    options = planning.options_from(parser.parse_args(words))
    assert options.costs().forward_s == {1: 0.0025, 8: 0.004}
    assert options.costs().backward_s == 0.00025
    assert options.network().bytes_per_s == 1e9
    assert options.network().hop_s == MODELS["gpu"][1].hop_s
    assert planning.options_from(parser.parse_args([])) == Options()


def test_the_command_makes_every_table_from_a_library(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(planning, "STRETCH_S", 20.0)
    monkeypatch.setattr(planning, "HOUR_S", 10.0)
    path = tmp_path / "mine.csv"
    path.write_text("duration_s\n" + "30\n11\n" * 6)
    words = [
        "simulation",
        "--workers",
        "1",
        "3",
        "--durations",
        str(path),
        "--json",
        str(tmp_path / "all.json"),
    ]
    assert command.main(words) == 0
    shown = capsys.readouterr().out
    for title in ("waiting at barriers", "alone, or by all", "unequal speed", "dealt", "24 hours", "decode"):
        assert title in shown
    assert (tmp_path / "all.json").stat().st_size > 1000
    assert command.main(["simulation", "--workers", "0"]) == 2
