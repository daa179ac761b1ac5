import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import ConfigError
from streamer.timescales import format_timescale, parse_timescale, parse_timescales


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("2m", 120.0),
        ("1.5h", 5400.0),
        ("45", 45.0),
        (0.5, 0.5),
        (" 10 S ", 10.0),
        (".5m", 30.0),
        ("2.", 2.0),
    ],
)
def test_lengths_of_time(text, seconds):
    assert parse_timescale(text, "--every") == seconds


@pytest.mark.parametrize("text", ["", "s", "0s", "-3s", "3 days", "1e400", "nan", "inf", "2s3", "ten", "3ms"])
def test_anything_else_is_refused_in_one_line(text):
    with pytest.raises(ConfigError, match=r"^--every: .* is no length of time: write 30s") as error:
        parse_timescale(text, "--every")
    assert "\n" not in str(error.value)


def test_several_in_one_word_or_in_many():
    assert parse_timescales(["2s,10s", "1m"], "--timescales") == (2.0, 10.0, 60.0)
    assert parse_timescales([2, 10.5], "--timescales") == (2.0, 10.5)


def test_none_is_refused():
    with pytest.raises(ConfigError, match="no length of time is given"):
        parse_timescales([], "--every")


@pytest.mark.parametrize("words", [["10s", "2s"], ["60s", "1m"], ["1m,30s"]])
def test_order_that_does_not_ascend_is_refused(words):
    with pytest.raises(ConfigError, match="in ascending order"):
        parse_timescales(words, "--every")


@pytest.mark.parametrize(
    ("seconds", "text"), [(30, "30s"), (0.5, "0.5s"), (90, "1.5m"), (120, "2m"), (5400, "1.5h"), (61, "61s")]
)
def test_written_as_users_write_them(seconds, text):
    assert format_timescale(seconds) == text


@given(st.floats(1e-3, 1e6))
def test_what_is_written_is_read_again(seconds):
    assert parse_timescale(f"{seconds:f}", "x") == pytest.approx(seconds, rel=1e-3)
    text = format_timescale(round(seconds, 1) or 0.1)
    assert "e" in text or parse_timescale(text, "x") == pytest.approx(round(seconds, 1) or 0.1, rel=1e-4)
