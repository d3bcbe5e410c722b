"""Decoding and encoding of audio, in memory and as streams."""
