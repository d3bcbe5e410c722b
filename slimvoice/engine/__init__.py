"""Supervised worker processes, one per loaded model; knows no model runtime."""
