"""Sentence splitting and subtitles."""
