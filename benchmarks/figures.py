"""What was measured: samples by part, measure and subject; their medians, ratios, table and JSON. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

SLIMVOICE = "slimvoice"


@dataclass
class Measure:
    """One row of a table: samples in the order in which they were taken, by subject."""

    name: str
    unit: str
    samples: dict[str, list[float]] = field(default_factory=dict)

    def median(self, subject: str) -> float | None:
        """Return a subject's median; None: it was not measured."""
        values = self.samples.get(subject)
        return median(values) if values else None

    def ratio(self, peer: str, of: str = SLIMVOICE) -> float | None:
        """Return the share of `peer` that `of` takes: of paired samples where both have as many, else of medians."""
        ours, theirs = self.samples.get(of), self.samples.get(peer)
        if not ours or not theirs or not median(theirs):
            return None
        if len(ours) == len(theirs) and all(theirs):
            return median(our / their for our, their in zip(ours, theirs, strict=True))
        return median(ours) / median(theirs)


class Figures:
    """All measures of a run, by part, in the order in which they came."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, Measure]] = {}
        self.notes: dict[str, list[str]] = {}

    def add(self, part: str, name: str, value: float, unit: str, subject: str = SLIMVOICE) -> None:
        """Add one sample."""
        measure = self.parts.setdefault(part, {}).setdefault(name, Measure(name, unit))
        measure.samples.setdefault(subject, []).append(value)

    def note(self, part: str, text: str) -> None:
        """Add a line under a part's table."""
        self.parts.setdefault(part, {})
        self.notes.setdefault(part, []).append(text)

    def find(self, part: str, name: str) -> Measure:
        """Return a measure; an empty one where it was not taken."""
        return self.parts.get(part, {}).get(name, Measure(name, ""))

    def markdown(self, part: str) -> str:
        """Return a part's table: medians, and slimvoice's share of each peer's."""
        measures = self.parts[part].values()
        subjects = list(dict.fromkeys(subject for measure in measures for subject in measure.samples))
        peers = [subject for subject in subjects if subject != SLIMVOICE]
        head = ["measure", "unit", *subjects, *(f"to {peer}" for peer in peers)]
        rows = [_row(measure, subjects, peers) for measure in measures]
        table = "\n".join(_line(row) for row in [head, ["---"] * len(head), *rows])
        return "\n\n".join([f"### {part}", *([table] if rows else []), *self.notes.get(part, [])])

    def to_json(self) -> dict[str, Any]:
        """Return everything, samples and medians, for keeping."""
        return {
            part: {
                measure.name: {
                    "unit": measure.unit,
                    "medians": {subject: measure.median(subject) for subject in measure.samples},
                    "samples": {subject: [round(v, 5) for v in values] for subject, values in measure.samples.items()},
                }
                for measure in measures.values()
            }
            for part, measures in self.parts.items()
        }


def _row(measure: Measure, subjects: list[str], peers: list[str]) -> list[str]:
    values = [shown(measure.median(subject)) for subject in subjects]
    return [measure.name, measure.unit, *values, *(shown(measure.ratio(peer)) for peer in peers)]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def shown(value: float | None) -> str:
    """Return a number with three digits that matter, as a person reads it."""
    if value is None:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.4f}"


def percentile(values: list[float], percent: float) -> float:
    """Return the nearest-rank percentile: with few values, p99 is the worst of them."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]
