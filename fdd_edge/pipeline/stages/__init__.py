"""A module per stage: its version, and the function that makes its one output. Stages do not import each other."""
