"""The files that are shipped: how they are made from a student, what is in them, and how they are read back.

Each family of files (``gguf``, ``onnx``) has a folder; ``family`` is the one object through which the others use them.
"""
