"""One module a stage: each brings rooms together that do not know each other, and writes one output.

A stage takes plain values and paths, never the config; the loop and the commands call the same functions.
"""
