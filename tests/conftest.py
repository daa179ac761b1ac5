"""What tests of all packages share."""

import os

# One thread each for the tests, the processes they start and the references they are held against: sums of
# floating-point numbers depend on how many there are.
os.environ["OMP_NUM_THREADS"] = "1"
