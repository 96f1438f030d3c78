"""Everything that runs on a board: the program language, the runtime, and the JSON lines they speak to the host.

Standard library, numpy and the runtime only, and relative imports only: the folder is packed into one file
and runs where nothing else of the package is installed.
"""
