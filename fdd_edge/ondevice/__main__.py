"""``python -m fdd_edge.ondevice``: the runner without packing it."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
