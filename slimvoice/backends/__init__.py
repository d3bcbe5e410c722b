"""Adapters to model runtimes; the only importers of them, and only inside worker processes."""
