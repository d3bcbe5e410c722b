"""Text normalization for speech: one module per kind of figure or sign, and the words of each language as tables."""
