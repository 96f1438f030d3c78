"""The student in torch: where it comes from, its ids, LoRA training, merging, and the float reference.

Nothing here is imported until a stage needs it, because torch and transformers take seconds to load.
"""
