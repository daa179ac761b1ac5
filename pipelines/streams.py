"""A lane's stream of snippets: Ray Data decodes its videos one after the other, a bounded way ahead.

Each lane has pipelines of its own over the videos assigned to it, one per decoder. (Splitting one dataset
over the workers, as Ray Train does by default, would cut videos apart and reorder them.)
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from time import monotonic, sleep
from typing import Any

import numpy as np
import ray.data
from ray.data import ExecutionOptions, ExecutionResources, TaskPoolStrategy

from pipelines.catalog import CatalogEntry
from pipelines.decoding import DecodingSettings, part_rows
from pipelines.parts import deal, divide, in_order
from pipelines.session import DECODE_CPUS
from pipelines.snippets import (
    ROW_SNIPPETS,
    SnippetBlock,
    SnippetFormat,
    VideoEnd,
    VideoPart,
    read_rows,
)

REST_SECONDS = 0.1  # between two rounds of an executor whose rows nobody waits for
PAUSE_SECONDS = 0.01  # else; a row is that much later, and holds seconds of video
CLOSE_SECONDS = 5.0
ROWS_AHEAD = 64  # narrow vectors would otherwise fill the bytes allowed with hours of stream
PIPELINE_PARTS = 256  # in one pipeline; to set it up takes a millisecond for each
RETRIES = 5  # of a part whose Ray process or node was lost; Ray Data itself would go on without end


def lane_stream(videos: Sequence[VideoPart], form: SnippetFormat, settings: DecodingSettings) -> LaneStream:
    """Begins to decode the videos of a lane.

    Args:
        videos: in the order in which they are wanted, each from its `first` snippet on.
        form: how their snippets are cut and laid out.
        settings: how they are decoded.
    """
    return LaneStream(videos, form, settings)


class LaneStream(Iterator[SnippetBlock | VideoEnd]):
    """The snippets of a lane's videos, a row at a time, and after each video its end.

    Rows are cut at multiples of `ROW_SNIPPETS` of the video, however it is decoded. The first rows are
    fetched at once, and each next one while the one before is in use: so the streams of several lanes start
    together, and rows come in while the model computes or waits for other workers.

    Iterating raises `CacheError` where the cache cannot be used. To leave a stream before its end, close it.

    Attributes:
        waited_s: seconds that its consumer has waited.
    """

    def __init__(self, videos: Sequence[VideoPart], form: SnippetFormat, settings: DecodingSettings) -> None:
        """As `lane_stream`."""
        self.waited_s = 0.0
        self._form = form
        self._settings = settings
        self._demand = Demand()
        self._opened: list[FetchedRows] = []
        parts = divide(videos, form.snippet_size, settings.decoders)
        streams = [self._open(share) for share in deal(parts, settings.decoders)]
        self._items = read_rows(in_order(parts, streams, lambda part: self._open([part])), form)

    def __next__(self) -> SnippetBlock | VideoEnd:
        begin = monotonic()
        try:
            return next(self._items)
        except BaseException:  # the end, or an error after which nothing comes
            self.close()
            raise
        finally:
            self.waited_s += monotonic() - begin

    @property
    def bytes_ahead(self) -> int:
        """Bytes of decoded rows that wait to be taken, as of the last round of Ray Data's executors.

        What waits between a decoder and Ray Data is not seen: two rows and a snippet per decoder at most.
        """
        return sum(rows.bytes_ahead for rows in self._opened)

    def close(self) -> None:
        """Ends decoding, once the rows that are being fetched have come; safe to call twice.

        Waits for that, a few seconds at most.
        """
        wait([rows.close() for rows in self._opened], CLOSE_SECONDS)

    def _open(self, parts: Sequence[VideoPart]) -> FetchedRows:
        rows = FetchedRows(parts, self._form, self._settings, self._demand)
        self._opened.append(rows)
        return rows


class FetchedRows(Iterator[dict[str, Any]]):
    """Rows of parts, each fetched by a thread while the one before is in use.

    Args:
        parts: in the order in which they are wanted.
        form: how their snippets are cut and laid out.
        settings: how they are decoded.
        demand: takes note of whether the thread waits for a row.
    """

    def __init__(
        self, parts: Sequence[VideoPart], form: SnippetFormat, settings: DecodingSettings, demand: Demand
    ) -> None:
        self._closed = False
        self._pace = Pace(demand)
        self._rows = ray_rows(parts, form, settings, demand, self._pace)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fetch-ahead")
        self._coming: Future[dict[str, Any] | None] = self._pool.submit(next, self._rows, None)

    def __next__(self) -> dict[str, Any]:
        row = self._coming.result()
        if row is None:
            self.close()
            raise StopIteration
        self._coming = self._pool.submit(next, self._rows, None)
        return row

    @property
    def bytes_ahead(self) -> int:
        """Bytes of rows that wait to be taken."""
        fetched = self._coming.done() and self._coming.exception() is None
        row = self._coming.result() if fetched else None
        return self._pace.bytes_ahead + (len(row["data"]) if row else 0)

    def close(self) -> Future[Any]:
        """Ends decoding once the row that is being fetched has come, which the result waits for."""
        if not self._closed:
            self._closed = True
            self._coming = self._pool.submit(self._rows.close)
            self._pool.shutdown(wait=False)
        return self._coming


class Demand:
    """Whether anybody waits for a row of a lane."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking = 0
        self._asked = threading.Event()

    def begin(self) -> None:
        """Somebody begins to wait."""
        with self._lock:
            self._asking += 1
            self._asked.set()

    def end(self) -> None:
        """That has got its row."""
        with self._lock:
            self._asking -= 1
            if self._asking == 0:
                self._asked.clear()

    def wait(self, timeout_s: float) -> bool:
        """Waits until somebody waits for a row, so long at most; tells whether somebody does."""
        return self._asked.wait(timeout_s)

    def __reduce__(self) -> Any:
        return Demand, ()  # travels with Ray Data's settings to the decoder, where nobody asks it


class Pace:
    """Lets Ray Data's executor, a thread of the training process, rest between two rounds.

    While decoded rows wait because the decoder is as far ahead as it may be, the executor would go round
    without end and take half of the interpreter's time from the model; the more so with many lanes, each of
    which has an executor. It goes on soon when somebody waits for a row.

    Ray Data takes it for the class of its callbacks, and calls it to make one.

    Attributes:
        bytes_ahead: that waited in Ray Data after its last round.

    Args:
        demand: whether somebody waits.
    """

    def __init__(self, demand: Demand) -> None:
        self.bytes_ahead = 0
        self._demand = demand

    def __call__(self) -> Pace:
        """Makes the callback."""
        return self

    def __deepcopy__(self, memo: object) -> Pace:
        return self

    def __reduce__(self) -> Any:
        return Pace, (self._demand,)

    def before_execution_starts(self, executor: Any) -> None:
        """Nothing to do."""

    def on_execution_step(self, executor: Any) -> None:
        """Called by Ray Data after every round."""
        usage = executor._resource_manager.get_global_usage()  # known to nobody else
        self.bytes_ahead = int(usage.object_store_memory)
        if self._demand.wait(REST_SECONDS):
            sleep(PAUSE_SECONDS)  # many executors that never rest stand in each other's way

    def after_execution_succeeds(self, executor: Any) -> None:
        """Called by Ray Data at the end."""
        self.bytes_ahead = 0

    def after_execution_fails(self, executor: Any, error: Exception) -> None:
        """Called by Ray Data where it could not go on."""
        self.bytes_ahead = 0


def ray_rows(
    parts: Sequence[VideoPart], form: SnippetFormat, settings: DecodingSettings, demand: Demand, pace: Pace
) -> Generator[dict[str, Any], None, None]:
    """Rows of all parts in their order, decoded in other processes while they are consumed.

    Args:
        parts: decoded one after the other, each by a task of its own.
        form: how their snippets are cut and laid out.
        settings: how they are decoded.
        demand: takes note of whether somebody waits for a row.
        pace: the executor's.
    """
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False
    for number in range(0, len(parts), PIPELINE_PARTS):
        dataset = _pipeline(parts[number : number + PIPELINE_PARTS], form, settings)
        callbacks: list[Any] = [pace]  # has a callback's methods; Ray Data's base class is internal
        dataset.context.custom_execution_callback_classes = callbacks
        # Without prefetching, which would hold every row back until the next one has come.
        blocks: Any = dataset.iterator().iter_batches(
            batch_size=None,  # pyright: ignore[reportArgumentType] - documented as: blocks as they are
            batch_format="pyarrow",
            prefetch_batches=0,
        )
        yield from _take(iter(blocks), demand)


def _pipeline(
    parts: Sequence[VideoPart], form: SnippetFormat, settings: DecodingSettings
) -> ray.data.Dataset:
    def decode(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
        return part_rows(VideoPart(**{**item, "entry": CatalogEntry(**item["entry"])}), form, settings)

    dataset = ray.data.from_items([asdict(part) for part in parts], override_num_blocks=len(parts)).flat_map(
        decode,
        num_cpus=DECODE_CPUS,
        compute=TaskPoolStrategy(size=1),
        ray_remote_args_fn=lambda: {"max_retries": RETRIES},
    )
    # A block leaves the decoder when it passes this size: one row is one block, so that rows stream.
    dataset.context.target_max_block_size = 1
    dataset.context.execution_options = ExecutionOptions(
        preserve_order=True,
        resource_limits=ExecutionResources(
            cpu=1, object_store_memory=min(settings.bytes_ahead, ROWS_AHEAD * _row_bytes(form))
        ),
    )
    return dataset


def _take(blocks: Iterator[Any], demand: Demand) -> Generator[dict[str, Any], None, None]:
    """Yields the rows of all blocks, and tells when it waits for one."""
    while True:
        demand.begin()
        try:
            block = next(blocks, None)
        finally:
            demand.end()
        if block is None:
            return
        yield from block.to_pylist()


def _row_bytes(form: SnippetFormat) -> int:
    return ROW_SNIPPETS * math.prod(form.shape) * np.dtype(form.dtype).itemsize
