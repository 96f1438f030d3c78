"""The student in torch: locating and loading it, its token ids, LoRA training, merging, and the float reference.

Torch and transformers take seconds to import, so nothing here is imported until it is needed.
"""
