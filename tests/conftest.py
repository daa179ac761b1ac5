"""What tests of all packages share."""

import os

from hypothesis import settings

# One thread each for the tests, the processes they start and the references they are held against: sums of
# floating-point numbers depend on how many there are.
os.environ["OMP_NUM_THREADS"] = "1"

# How long an example takes depends on what else the machine does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
