"""``python -m fdd_edge.ondevice``: the runner, without packing it first."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (an older Python must get as far as this message)
    sys.exit("The runner needs Python 3.11 or later; this is Python {}.{}.".format(*sys.version_info))

from .runner_commands import main

if __name__ == "__main__":
    sys.exit(main())
