"""A plot of latency against clients."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Figures
from benchmarks.parts.clients import COUNTS, PART


def latency(figures: Figures, path: Path) -> None:
    """Draw latency percentiles against clients; the ending of `path` says whether as SVG or PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "slimvoice"  # the same figures make the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for percent in (50, 95, 99):
        found = [(n, figures.find(PART, f"{n} clients: latency p{percent}").median("slimvoice")) for n in COUNTS]
        points = [(count, value) for count, value in found if value is not None]
        axes.plot(*zip(*points, strict=True), marker="o", label=f"p{percent}")
    axes.set(xlabel="clients at once", ylabel="seconds", title="Latency of mixed 3 s and 11 s clips, whisper base")
    axes.set_xticks(COUNTS)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
