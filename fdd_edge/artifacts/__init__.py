"""The files that are shipped: written from the merged student, quantized by recipe, described."""
