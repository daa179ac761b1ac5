"""`python -m pipelines COMMAND`: the same as `streamer COMMAND`."""

import sys

from pipelines.cli import main

if __name__ == "__main__":
    sys.exit(main())
