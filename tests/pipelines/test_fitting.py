"""What ended the workers: a loss that the run survives, something to mend, or a fault."""

import errno

import pytest
from ray.exceptions import ActorDiedError, RayTaskError
from ray.train import WorkerGroupError
from ray.train.v2._internal.exceptions import UserExceptionWithTraceback, WorkerHealthCheckFailedError

from pipelines.fitting import _loss
from pipelines.replicas import ReplicaLostError
from pipelines.run_folder import RunFolderError
from streamer.errors import CheckpointError, StreamerError


def raised(error: BaseException) -> UserExceptionWithTraceback:
    """As Ray Train hands on what a worker raised."""
    return UserExceptionWithTraceback(error, "Traceback: ...")


def died() -> WorkerHealthCheckFailedError:
    return WorkerHealthCheckFailedError("the worker is gone", failure=ActorDiedError())


def group(*failures: Exception) -> WorkerGroupError:
    return WorkerGroupError("workers failed", dict(enumerate(failures)))


LOST = raised(ReplicaLostError("Connection reset by peer"))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (group(died(), LOST), "actor died"),
        (group(LOST, died()), "actor died"),
        (group(LOST, LOST), "Connection reset by peer"),
        (ActorDiedError(), "actor died"),
    ],
    ids=["died", "the others notice first", "none is known to have died", "Ray Train itself"],
)
def test_losses_are_survived(error, reason):
    assert reason in _loss(error)
    assert "\n" not in _loss(error)


@pytest.mark.parametrize(
    "error",
    [
        group(raised(AssertionError("a fault")), LOST),
        group(LOST, raised(ZeroDivisionError())),
        group(raised(RayTaskError("decode", "Traceback: ...", ValueError("a fault")))),
        RuntimeError("no failure of a worker"),
    ],
)
def test_faults_are_raised(error):
    with pytest.raises(type(error)) as caught:
        _loss(error)
    assert caught.value is error


def test_what_users_can_mend_is_told_in_one_line():
    with pytest.raises(CheckpointError, match="damaged"):
        _loss(group(LOST, raised(CheckpointError("a.pt: is damaged"))))
    full = OSError(errno.ENOSPC, "No space left on device", "/out/checkpoints/streamer.pt")
    with pytest.raises(RunFolderError, match="No space left on device: mend that") as caught:
        _loss(group(raised(full), LOST))
    assert isinstance(caught.value, StreamerError)
    assert "\n" not in str(caught.value)
