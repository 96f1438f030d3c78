"""Everything that runs on a board: the runner, its protocol with the host, and the program language.

Only the standard library, numpy and the runtime may be imported, and only relative imports are allowed: this folder
is packed into a single file that runs where nothing else of the package is installed.
"""
