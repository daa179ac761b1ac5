"""Thumbnails: of the right moments, upright, bounded, and made once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.report.film import (
    BOX,
    MOST,
    STRIP_FRAMES,
    Film,
    FilmJob,
    make_film,
    note_of,
    read_film,
    strip_of,
)
from pipelines.report.thumbnails import make_films
from streamer.errors import VideoError
from tests.streamer.video.clips import constant_rate, encode, number_in

RATE = 10


class Deadly(FilmJob):
    """A job that ends the process that takes it up."""

    def __reduce__(self):
        return os._exit, (3,)


def job_of(path: Path, seconds: float, sheet: Path, **changes: object) -> FilmJob:
    settings = {"start_s": 0.0, "width": 192, "height": 96, "fps": float(RATE), **changes}
    return FilmJob(str(path), duration_s=seconds, sheet=str(sheet), **settings)  # pyright: ignore[reportArgumentType]


def pictures(film: Film, sheet: Path) -> list[np.ndarray]:
    """The thumbnails of a sheet."""
    with Image.open(sheet) as image:
        pixels = np.asarray(image)
    found = []
    for number in range(len(film.times_s)):
        row, column = divmod(number, film.columns)
        top, left = row * film.height, column * film.width
        found.append(pixels[top : top + film.height, left : left + film.width])
    return found


@pytest.mark.parametrize("rotation", [0, 90])
def test_thumbnails_of_a_short_video_are_the_frames_on_screen(tmp_path: Path, rotation: int) -> None:
    path = encode(tmp_path / "clip.mp4", constant_rate(8 * RATE, RATE, rotation=rotation))
    job = job_of(path, 8.0, tmp_path / "clip.jpg")
    film = make_film(job)
    assert (film.width, film.height) == (128, 64)
    assert film.times_s == [0.25 + 0.5 * number for number in range(16)]
    shown = [number_in(picture) for picture in pictures(film, tmp_path / "clip.jpg")]
    assert shown == [int(time * RATE) for time in film.times_s]
    with Image.open(strip_of(tmp_path / "clip.jpg")) as strip:
        assert strip.size == (STRIP_FRAMES * BOX[0], BOX[1])


@pytest.mark.parametrize("gop", [30, 5000])
def test_thumbnails_of_a_long_video_are_sought_and_true_to_their_times(tmp_path: Path, gop: int) -> None:
    seconds = 900
    path = encode(tmp_path / "long.mp4", constant_rate(2 * seconds, 2, gop=gop, bframes=2))
    job = job_of(path, float(seconds), tmp_path / "long.jpg", fps=2.0)
    film = make_film(job)
    assert len(film.times_s) <= MOST
    assert len(film.times_s) > MOST * 0.4
    shown = [number_in(picture) for picture in pictures(film, tmp_path / "long.jpg")]
    assert shown == [int(time * 2) for time in film.times_s]
    assert shown == sorted(set(shown))


def test_only_the_part_that_was_segmented_is_shown(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", constant_rate(12 * RATE, RATE))
    film = make_film(job_of(path, 4.0, tmp_path / "clip.jpg", start_s=5.0))
    shown = [number_in(picture) for picture in pictures(film, tmp_path / "clip.jpg")]
    assert shown[0] == int((5 + film.times_s[0]) * RATE)
    assert film.times_s[-1] < 4


def test_of_a_damaged_video_there_is_what_can_be_read(tmp_path: Path) -> None:
    whole = encode(tmp_path / "cut.mkv", constant_rate(8 * RATE, RATE, bframes=0)).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    film = make_film(job_of(tmp_path / "cut.mkv", 8.0, tmp_path / "cut.jpg"))
    assert 4 <= len(film.times_s) < 16


def test_one_frame_is_one_thumbnail(tmp_path: Path) -> None:
    path = encode(tmp_path / "one.mp4", constant_rate(1, RATE))
    film = make_film(job_of(path, 0.1, tmp_path / "one.jpg"))
    assert len(film.times_s) == 1


def test_they_are_made_again_only_when_the_recording_changes(tmp_path: Path) -> None:
    path, sheet = tmp_path / "clip.mp4", tmp_path / "clip.jpg"
    encode(path, constant_rate(20, RATE))
    job = job_of(path, 2.0, sheet)
    assert read_film(job) is None
    film = make_film(job)
    assert read_film(job) == film
    note_of(sheet).write_text("{")
    assert read_film(job) is None
    make_film(job)
    encode(path, constant_rate(21, RATE))
    assert read_film(job) is None
    make_film(job)
    strip_of(sheet).unlink()
    assert read_film(job) is None


def test_a_video_that_ends_the_decoder_costs_itself_alone(tmp_path: Path) -> None:
    path = encode(tmp_path / "good.mp4", constant_rate(20, RATE))
    (tmp_path / "text.mp4").write_text("no video at all\n" * 50)
    jobs = {
        "good": job_of(path, 2.0, tmp_path / "good.jpg"),
        "deadly": Deadly(str(path), 0.0, 2.0, 192, 96, 10.0, str(tmp_path / "deadly.jpg")),
        "text": job_of(tmp_path / "text.mp4", 2.0, tmp_path / "text.jpg"),
        "gone": job_of(tmp_path / "gone.mp4", 2.0, tmp_path / "gone.jpg"),
    }
    ended = []
    outcomes = make_films(jobs, finished=lambda: ended.append(1))
    assert len(ended) == 4
    assert isinstance(outcomes["good"], Film)
    assert outcomes["deadly"] == "decoding it ended or stopped the decoder"
    assert "cannot be opened" in str(outcomes["text"])
    assert "No such file" in str(outcomes["gone"])
    made = (tmp_path / "good.jpg").stat().st_mtime_ns
    again = make_films({"good": jobs["good"]}, finished=lambda: None)
    assert again["good"] == outcomes["good"]
    assert (tmp_path / "good.jpg").stat().st_mtime_ns == made


def test_a_video_without_frames_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video at all\n" * 50)
    with pytest.raises(VideoError):
        make_film(job_of(tmp_path / "text.mp4", 2.0, tmp_path / "text.jpg"))
    assert not list(tmp_path.glob("*.jpg"))
