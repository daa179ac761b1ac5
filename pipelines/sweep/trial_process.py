"""The process of a trial: `python -m pipelines.sweep.trial_process train ...`.

It is the command that its words say, and ends at once when its standard input does, and so with the process
that started it, however that ended: nobody would wait for it, and its folder must be free for who goes on.
"""

from __future__ import annotations

import os
import signal
import sys
from threading import Thread

from pipelines.cli import main


def end_with_input() -> None:
    """Kills this process when its standard input ends; the run goes on from its last checkpoint later."""
    descriptor = os.dup(0)  # the command may read or close its own

    def watch() -> None:
        while os.read(descriptor, 1):
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    Thread(target=watch, name="input", daemon=True).start()


if __name__ == "__main__":
    end_with_input()
    sys.exit(main())
