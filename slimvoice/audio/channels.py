"""Finds channels that cancel each other out, so that their mean would be silence: one of them is heard instead.

A microphone wired the wrong way round, or a balanced line recorded as stereo, gives right = -left.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

BLOCK_S = 1.0
"""One decision holds for as long; the frames of a block are kept until it is made."""
CANCELLED = 0.4
"""The sum of channels that know nothing of each other has the energy of all of them; one with less cancels."""
LOUDER = 2.0
"""Another channel must have so many times the energy of the one that is heard, to be heard in its place."""
_PROBES_PER_S = 800
"""Samples looked at, of all channels together."""
_CODES = {"u8": "B", "s16": "h", "s32": "i", "s64": "q", "flt": "f", "dbl": "d"}


class ChannelChooser:
    """Says for each frame which channel is to be heard; None: all of them, mixed. Holds at most a block of frames."""

    def __init__(self) -> None:
        self._frames: list[AudioFrame] = []
        self._held_s = 0.0
        self._energies: list[float] = []
        self._sum_energy = 0.0
        self._chosen: int | None = None

    def feed(self, frame: AudioFrame) -> Iterator[tuple[AudioFrame, int | None]]:
        """Take the next frame of the stream; yield those that are decided."""
        if not _may_cancel(frame):
            yield from self.flush()
            yield frame, None
            return
        if self._frames and self._frames[0].layout.nb_channels != frame.layout.nb_channels:
            yield from self.flush()
        self._frames.append(frame)
        self._held_s += frame.samples / frame.sample_rate
        self._measure(frame)
        if self._held_s >= BLOCK_S:
            yield from self.flush()

    def flush(self) -> Iterator[tuple[AudioFrame, int | None]]:
        """Decide about the frames that are held, and yield them."""
        self._chosen = choice(self._energies, self._sum_energy, self._chosen)
        frames, self._frames = self._frames, []
        self._held_s, self._energies, self._sum_energy = 0.0, [], 0.0
        for frame in frames:
            yield frame, self._chosen

    def _measure(self, frame: AudioFrame) -> None:
        channels = _probes(frame)
        energies = [sum(sample * sample for sample in channel) for channel in channels]
        self._energies = [a + b for a, b in zip(self._energies or [0.0] * len(energies), energies, strict=True)]
        self._sum_energy += sum(sum(group) ** 2 for group in zip(*channels, strict=True))


def choice(energies: list[float], sum_energy: float, chosen: int | None) -> int | None:
    """Return the channel to hear, by the energy of each and of their sum; None: mix them.

    `chosen` was heard before, and stays unless another is clearly louder: two alike would change places, and signs.
    """
    if not sum(energies) > 0 or not sum_energy < CANCELLED * sum(energies):
        return None
    loudest = max(range(len(energies)), key=energies.__getitem__)
    if chosen is not None and chosen < len(energies) and energies[loudest] < LOUDER * energies[chosen]:
        return chosen
    return loudest


def _may_cancel(frame: AudioFrame) -> bool:
    """Return whether the channels are equals: a film's dialogue has the centre to itself, whatever the sides do."""
    layout = frame.layout
    return layout.nb_channels > 1 and all(channel.name != "FC" for channel in layout.channels)


def _probes(frame: AudioFrame) -> list[list[float]]:
    """Return evenly spaced samples of each channel."""
    count, planar = frame.layout.nb_channels, frame.format.is_planar
    code = _CODES[frame.format.name.removesuffix("p") if planar else frame.format.name]
    middle = 128 if code == "B" else 0
    step = max(1, frame.sample_rate * count // _PROBES_PER_S)
    width = 1 if planar else count
    size = frame.samples * width * frame.format.bytes
    planes: list[memoryview] = [
        memoryview(plane).cast("B")[:size].cast(code)  # type: ignore[call-overload]  # its codes are of _CODES
        for plane in frame.planes
    ]
    views = [planes[number][::step] if planar else planes[0][number :: step * width] for number in range(count)]
    return [[float(sample - middle) for sample in view.tolist()] for view in views]
