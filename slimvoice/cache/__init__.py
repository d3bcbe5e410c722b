"""Finished speech, kept in the volume."""
