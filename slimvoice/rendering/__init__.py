"""Transcripts in the formats that clients ask for."""
