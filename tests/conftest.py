"""What tests of all packages share."""

import os
from collections.abc import Iterator

import pytest

# One thread each for the tests, the processes they start and the references they are held against: sums of
# floating-point numbers depend on how many there are.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[str]:
    """The one Ray session of all tests, on this machine; gives its address. Commands use it as it is."""
    from pipelines.session import ray_session

    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("RAY_ADDRESS", raising=False)
        with ray_session(workers=3, decode_cpus=0.5):
            import ray

            yield ray.get_runtime_context().gcs_address
