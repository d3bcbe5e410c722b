"""Sample rate and channel conversion to mono 16-bit PCM, on FFmpeg's filters (PyAV)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.filter.graph import Graph

MAX_BLOCK_SAMPLES = 1 << 16
"""Samples per frame handed to FFmpeg, so that no single step needs much memory."""


class FrameResampler:
    """Turns decoded frames of one format into mono int16 PCM at `sample_rate`; `flush` once at the end."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._graph: Graph | None = None
        self._source: tuple[str, str, int, int | None] | None = None

    def feed(self, frame: AudioFrame, channel: int | None = None) -> bytes:
        """Convert one frame, or one channel of it; another format (chained Ogg) or channel flushes and starts anew."""
        source = (frame.format.name, frame.layout.name, frame.sample_rate, channel)
        before = b"" if source == self._source else self.flush()
        if self._graph is None:
            self._graph, self._source = _mono_graph(frame, self.sample_rate, channel), source
        frame.pts = None  # FileClock fills gaps; the filters would follow jumps of the clock too
        self._graph.push(frame)
        return before + _drain(self._graph)

    def flush(self) -> bytes:
        """Return what the filters still hold."""
        if self._graph is None:
            return b""
        graph, self._graph, self._source = self._graph, None, None
        graph.push(None)
        return _drain(graph)


class Resampler:
    """Converts a stream of mono int16 PCM from one rate to another; equal rates pass through."""

    def __init__(self, source_rate: int, sample_rate: int) -> None:
        self.source_rate = source_rate
        self._frames = None if source_rate == sample_rate else FrameResampler(sample_rate)

    def feed(self, pcm: bytes) -> bytes:
        """Convert the next chunk, an even number of bytes."""
        if self._frames is None:
            return pcm
        step = MAX_BLOCK_SAMPLES * 2
        blocks = (pcm[start : start + step] for start in range(0, len(pcm), step))
        return b"".join(self._frames.feed(frame_of(block, self.source_rate)) for block in blocks)

    def flush(self) -> bytes:
        """Return the tail that the filter still holds; call once, at the end."""
        return self._frames.flush() if self._frames else b""


def frame_of(pcm: bytes, sample_rate: int) -> AudioFrame:
    """Wrap mono int16 PCM, not empty, as one PyAV frame."""
    from av.audio.frame import AudioFrame

    frame = AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
    frame.sample_rate = sample_rate
    frame.planes[0].update(pcm)
    return frame


def _mono_graph(frame: AudioFrame, sample_rate: int, channel: int | None) -> Graph:
    """Build `source -> mono s16 at sample_rate`, of one channel where one is given.

    FFmpeg mixes the channel layouts it knows by their positions (a film's dialogue stays in front). An array of
    microphones has no layout: its channels are averaged.
    """
    from av.filter.graph import Graph

    graph = Graph()
    nodes = [
        graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=frame.layout.name,
            time_base=f"1/{frame.sample_rate}",
        )
    ]
    channels = frame.layout.nb_channels
    if channel is not None:
        nodes.append(graph.add("pan", f"mono|c0=c{channel}"))
    elif channels > 2 and frame.layout.name == f"{channels} channels":
        nodes.append(graph.add("pan", "mono|c0<" + "+".join(f"c{channel}" for channel in range(channels))))
    nodes.append(graph.add("aformat", sample_fmts="s16", sample_rates=str(sample_rate), channel_layouts="mono"))
    nodes.append(graph.add("abuffersink"))
    graph.link_nodes(*nodes).configure()
    return graph


def _drain(graph: Graph) -> bytes:
    from av.error import BlockingIOError as NeedsInput
    from av.error import EOFError as Finished

    chunks: list[bytes] = []
    while True:
        try:
            frame = cast("AudioFrame", graph.pull())
        except (NeedsInput, Finished):
            return b"".join(chunks)
        chunks.append(bytes(memoryview(frame.planes[0])[: frame.samples * 2]))
