"""A model that is measured, with the stream that its lanes watch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch

from pipelines.snippets import ROW_SNIPPETS
from streamer.config import Precision, StreamerConfig
from streamer.streamer import Streamer
from tests.plain.streamer import PlainStreamer

M = TypeVar("M", bound=Streamer | PlainStreamer)
WARM_UP = 4  # base steps


@dataclass(frozen=True)
class Subject:
    """What is measured, and on what.

    Attributes:
        config: what the model is; all its levels exist from the start, so that they all have work.
        stream: `.npy` file of snippets.
        train: learn, with optimiser steps; otherwise only observe.
        lanes: of the engine; 0 stands for the plain model, which has one.
        precision: of the engine; the plain model computes in float32.
        base_steps: that are measured.
        device: where the model computes.
        threads: that it computes with.
    """

    config: StreamerConfig
    stream: str
    train: bool
    lanes: int
    precision: Precision
    base_steps: int
    device: str
    threads: int


class Run(ABC, Generic[M]):
    """A model at work on a stream that goes round without end.

    Attributes:
        model: the model; it has the same initial parameters every time.
    """

    model: M

    @abstractmethod
    def base_step(self, row: int) -> int:
        """Lets every lane observe one snippet.

        Args:
            row: snippets that a lane without any is offered at once.

        Returns:
            How many snippets were observed.
        """

    @abstractmethod
    def settle(self) -> None:
        """Leaves no work undone."""

    def warm_up(self) -> None:
        """Some base steps, after which no snippet waits that was encoded ahead."""
        for _ in range(WARM_UP):
            self.base_step(WARM_UP)
        self.settle()

    def stretch(self, base_steps: int) -> int:
        """Goes on, leaving no work undone; one that learns takes a step at the end where none fell due.

        Returns:
            How many snippets were observed.
        """
        learner = self.model.learner
        before = 0 if learner is None else learner.steps
        snippets = sum(self.base_step(ROW_SNIPPETS) for _ in range(base_steps))
        self.settle()
        if learner is not None and learner.steps == before:
            self.take_step()
        return snippets

    def take_step(self) -> None:
        """Takes an optimiser step at once, as a barrier does when one is due."""
        assert self.model.learner is not None
        self.model.gather()
        self.model.learner.step()
        self.model.parameters_changed()


class PlainRun(Run[PlainStreamer]):
    """The plain model."""

    def __init__(self, subject: Subject) -> None:
        self._stream = np.load(subject.stream)
        self._next = 0
        self.model = PlainStreamer(subject.config, train=subject.train, device=subject.device)

    def base_step(self, row: int) -> int:
        """Observes one snippet; the plain model takes them singly, whatever `row` is."""
        self.model.observe(self._stream[self._next % len(self._stream)])
        self._next += 1
        return 1

    def settle(self) -> None:
        """Does nothing: the plain model never leaves work undone."""


class EngineRun(Run[Streamer]):
    """The engine; its lanes watch the same stream, each from another place on."""

    def __init__(self, subject: Subject) -> None:
        self._stream = np.load(subject.stream)
        self._next = [len(self._stream) * lane // subject.lanes for lane in range(subject.lanes)]
        self.model = Streamer(
            subject.config,
            lanes=subject.lanes,
            train=subject.train,
            device=subject.device,
            precision=subject.precision,
        )

    def base_step(self, row: int) -> int:
        """See `Run`."""
        for lane, watched in enumerate(self.model.lanes):
            if watched.waiting == 0:
                places = np.arange(self._next[lane], self._next[lane] + row) % len(self._stream)
                self.model.offer(self._stream[places], lane)
                self._next[lane] += row
        self.model.advance()
        if self.model.learner is not None:
            self.model.barrier()
        return len(self.model.lanes)

    def settle(self) -> None:
        """See `Run`."""
        self.model.settle()


def open_run(subject: Subject) -> PlainRun | EngineRun:
    """Makes the model that is to be measured."""
    torch.set_num_threads(subject.threads)
    return EngineRun(subject) if subject.lanes else PlainRun(subject)
