"""A lane's stream of snippet rows: Ray Data decodes its videos one after the other, a bounded way ahead.

Each lane has a pipeline of its own over the videos assigned to it. (Splitting one dataset over the workers,
as Ray Train does by default, would cut videos apart and reorder them.)
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
import ray.data
from ray.data import ExecutionOptions, ExecutionResources, TaskPoolStrategy

from pipelines.catalog import CatalogEntry
from pipelines.snippets import ROW_SNIPPETS, SnippetFormat, snippet_rows

T = TypeVar("T")

DECODE_CPUS = 0.5
BYTES_AHEAD = 32 * 2**20  # per worker; Ray Data keeps to this to within a few rows per lane
REST_SECONDS = 0.1  # between two rounds of an executor whose rows nobody waits for
PAUSE_SECONDS = 0.01  # else; a row is that much later, and holds seconds of video
ROWS_AHEAD = 64  # narrow vectors would otherwise fill those bytes with hours of stream


class Demand:
    """Whether somebody waits for a row; called by Ray Data, it makes the callback that heeds this.

    Attributes:
        waiting: is set while somebody waits.
    """

    def __init__(self) -> None:
        self.waiting = threading.Event()

    def __call__(self) -> Rest:
        """Makes the callback."""
        return Rest(self.waiting)

    def __deepcopy__(self, memo: object) -> Demand:
        return self

    def __reduce__(self) -> Any:
        return Demand, ()  # travels with Ray Data's settings to the decoder, where nobody asks it


class Rest:
    """Lets Ray Data's executor, a thread of the training process, rest between two rounds.

    While decoded rows wait because the decoder is as far ahead as it may be, the executor would go round
    without end and take half of the interpreter's time from the model; the more so with many lanes, each of
    which has an executor. It goes on soon when somebody waits for a row.

    Args:
        waiting: is set while somebody waits.
    """

    def __init__(self, waiting: threading.Event) -> None:
        self._waiting = waiting

    def before_execution_starts(self, executor: Any) -> None:
        """Nothing to do."""

    def on_execution_step(self, executor: Any) -> None:
        """Called by Ray Data after every round."""
        if self._waiting.wait(REST_SECONDS):
            time.sleep(PAUSE_SECONDS)  # many executors that never rest stand in each other's way

    def after_execution_succeeds(self, executor: Any) -> None:
        """Nothing to do."""

    def after_execution_fails(self, executor: Any, error: Exception) -> None:
        """Nothing to do."""


def ray_rows(
    entries: Sequence[CatalogEntry], form: SnippetFormat, bytes_ahead: int = BYTES_AHEAD
) -> Iterator[dict[str, Any]]:
    """Rows of all videos in the order of `entries`, decoded in another process while they are consumed.

    Args:
        entries: the videos.
        form: how their snippets are cut and laid out.
        bytes_ahead: of rows that may wait to be taken.
    """
    if not entries:
        return

    logging.getLogger("ray.data").setLevel(logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def decode(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
        return snippet_rows(CatalogEntry(**item), form)

    dataset = ray.data.from_items(
        [asdict(entry) for entry in entries], override_num_blocks=len(entries)
    ).flat_map(decode, num_cpus=DECODE_CPUS, compute=TaskPoolStrategy(size=1))
    # A block leaves the decoder when it passes this size: one row is one block, so that rows stream.
    dataset.context.target_max_block_size = 1
    dataset.context.execution_options = ExecutionOptions(
        preserve_order=True,
        resource_limits=ExecutionResources(
            cpu=1, object_store_memory=min(bytes_ahead, ROWS_AHEAD * _row_bytes(form))
        ),
    )
    demand = Demand()
    callbacks: list[Any] = [demand]  # has a callback's methods; Ray Data's base class is internal
    dataset.context.custom_execution_callback_classes = callbacks
    # Without prefetching, which would hold every row back until the next one has come.
    blocks: Any = dataset.iterator().iter_batches(
        batch_size=None,  # pyright: ignore[reportArgumentType] - documented as: blocks as they are
        batch_format="pyarrow",
        prefetch_batches=0,
    )
    yield from _take(iter(blocks), demand.waiting)


def _take(blocks: Iterator[Any], waiting: threading.Event) -> Iterator[dict[str, Any]]:
    """Yields the rows of all blocks, and tells when it waits for one."""
    try:
        while True:
            waiting.set()
            block = next(blocks, None)
            if block is None:
                return
            waiting.clear()
            yield from block.to_pylist()
    finally:
        waiting.set()  # an executor that rests would end later


def _row_bytes(form: SnippetFormat) -> int:
    return ROW_SNIPPETS * math.prod(form.shape) * np.dtype(form.dtype).itemsize


def fetch_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yields `items`, each fetched by a thread of its own while the one before is in use.

    The first is fetched at once. So the streams of several lanes start together, and rows come in while the
    model computes or waits for other workers.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="fetch-ahead")
    return _fetched(pool, items, pool.submit(next, items, None))


def _fetched(pool: ThreadPoolExecutor, items: Iterator[T], coming: Future[T | None]) -> Iterator[T]:
    try:
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
    finally:
        pool.shutdown(wait=False)
