"""``python -m fdd_edge``."""

from fdd_edge.cli import main

main()
