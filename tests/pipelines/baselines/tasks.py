"""Tasks in which something happens; workers import this file, so it imports little."""

import os
import signal
import threading
from dataclasses import dataclass

from pipelines.baselines.predicting import BaselineTask
from pipelines.store import HierarchyStore
from streamer.snippet_cache import CacheError

DEADLY = "deadly"


@dataclass(frozen=True)
class TaskThat(BaselineTask):
    """A task in which something happens when a video of a certain name is written, or at the start."""

    event: str = ""

    def store(self) -> HierarchyStore:
        if self.event == "does not start":
            os._exit(3)
        return StoreThat(super().store(), self.event)


class StoreThat(HierarchyStore):
    def __init__(self, store: HierarchyStore, event: str) -> None:
        self.__dict__ |= vars(store)
        self._event = event

    def write(self, hierarchy, signals, reason=None):
        if hierarchy.video_id == DEADLY:
            if self._event == "dies":
                with self._folder.root.with_name("deaths").open("a") as file:
                    file.write("x")
                os.kill(os.getpid(), signal.SIGKILL)
            if self._event == "fails":
                raise KeyError("the bug")
            if self._event == "cannot cache":
                raise CacheError("no room: choose another --cache")
            if self._event == "hangs":
                print(os.getpid(), flush=True)
                threading.Event().wait()
        super().write(hierarchy, signals, reason)
