"""The cache of synthesized speech, on disk."""
