"""Speech to text on whisper.cpp: windows of speech in, segments out. Runs in a worker process only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from slimvoice.backends.base import JobControl
from slimvoice.backends.stt.loudness import PcmSamples, amplified, gain
from slimvoice.backends.stt.segmenter import FixedWindows, SpeechWindows
from slimvoice.backends.stt.windows import Window
from slimvoice.backends.whisper_cpp import encoder_context, segments
from slimvoice.backends.whisper_cpp.decoder import Audio, DecodeOptions, DecodeResult, RawSegment, WhisperContext
from slimvoice.backends.whisper_cpp.languages import (
    LikelyLanguage,
    RecordingLanguage,
    check_english_only,
    known_language,
)
from slimvoice.backends.whisper_cpp.libwhisper import choose_variant, open_library
from slimvoice.backends.whisper_cpp.prompt import Prompt
from slimvoice.backends.whisper_cpp.settings import WhisperSettings
from slimvoice.backends.whisper_cpp.voice_activity import SpeechDetector, silero_path
from slimvoice.errors import InvalidAudio, InvalidRequest, ModelLoad
from slimvoice.speech import (
    STT_SAMPLE_RATE,
    LoadSpec,
    Progress,
    Segment,
    TranscribeEvent,
    TranscribeRequest,
    TranscriptDone,
    Word,
)

SHORTEST_S = 0.1
"""Recordings shorter than this hold no word."""
NO_SPEECH, NO_SPEECH_LOGPROB = 0.6, -1.0
"""A window that whisper thinks silent and guesses at has no words (OpenAI's transcribe.py)."""
HUNDREDTH = STT_SAMPLE_RATE // 100


class WhisperCpp:
    """A loaded whisper model (SpeechToText); jobs may step in several threads at once."""

    def __init__(self, context: WhisperContext, silero: Path, name: str, settings: WhisperSettings) -> None:
        self._context = context
        self._silero = silero
        self._name = name
        self._settings = settings
        self._likely = LikelyLanguage()

    @staticmethod
    def open_runtime() -> None:
        """Load whisper.cpp; raises ModelLoad when it is not installed or of another version."""
        open_library()

    @classmethod
    def load(cls, spec: LoadSpec) -> Self:
        """Load `weights`; raises ModelLoad when the file is missing, cut, or not whisper's."""
        choose_variant(spec.variant)
        files, model = spec.installed.files, spec.installed.model
        if "weights" not in files:
            raise ModelLoad(f"{model.name} has no weights file")
        kind, _, number = spec.device.partition(":")
        gpu_device = int(number or 0) if kind in {"cuda", "vulkan"} else None
        settings = WhisperSettings.from_model(model.settings)
        silero = Path(files["voice_detection"]) if "voice_detection" in files else silero_path()
        context = WhisperContext(
            Path(files["weights"]), gpu_device=gpu_device, quantize=settings.quantize, threads=spec.threads
        )
        return cls(context, silero, model.name, settings)

    def close(self) -> None:
        """Give back the weights and every state."""
        self._context.close()

    def transcribe(self, request: TranscribeRequest, control: JobControl) -> Iterator[Sequence[TranscribeEvent]]:
        """Check the request now; then yield the events of one window per step."""
        waveform = request.waveform
        if waveform.sample_rate != STT_SAMPLE_RATE or len(waveform.pcm) % 2:
            raise InvalidAudio(f"whisper hears 16-bit samples at {STT_SAMPLE_RATE} Hz", param="file")
        if not 0 <= request.temperature <= 1:
            raise InvalidRequest("temperature must lie between 0 and 1", param="temperature")
        return _Transcription(self, request, control).steps()

    def recording_language(self, request: TranscribeRequest) -> RecordingLanguage:
        """Return the language to decode in, requested or to be detected; raises InvalidRequest or Unsupported."""
        known = self._context.languages
        asked = known_language(request.language, known) if request.language else None
        if not self._context.header.multilingual:
            check_english_only(asked, request.task, self._name)
            asked = "en"
        candidates = frozenset(known_language(candidate, known) for candidate in request.languages)
        return RecordingLanguage(asked, candidates, self._likely)

    @property
    def context(self) -> WhisperContext:
        """The weights and states."""
        return self._context

    @property
    def settings(self) -> WhisperSettings:
        """What the catalog sets for this model."""
        return self._settings

    def detector(self, samples: PcmSamples, gain: float) -> SpeechDetector:
        """Return a fresh voice detector for one recording, heard `gain` times as loud."""
        return SpeechDetector(open_library(), self._silero, samples, gain)


class _Transcription:
    """One transcription job: its position in the recording, prompt and language."""

    def __init__(self, backend: WhisperCpp, request: TranscribeRequest, control: JobControl) -> None:
        self._context = backend.context
        self._backend = backend
        self._request = request
        self._control = control
        self._language = backend.recording_language(request)
        self._samples: PcmSamples = np.frombuffer(request.waveform.pcm, np.int16)
        self._gain = gain(self._samples)
        self._total_s = request.waveform.duration_s
        self._prompt = Prompt(self._context, request.prompt, request.keywords, backend.settings.carried_tokens)
        self._segments = 0
        self._last_end_s = 0.0
        self._last_word_s = 0.0

    def steps(self) -> Iterator[Sequence[TranscribeEvent]]:
        """Yield the events of each window, then TranscriptDone."""
        if self._total_s < SHORTEST_S:
            yield (self._done(0.0),)
            return
        detection = self._request.voice_detection
        longest = round(self._backend.settings.window_s * STT_SAMPLE_RATE)
        if not detection.enabled:
            yield from self._windows(FixedWindows(len(self._samples), longest))
            return
        detector = self._backend.detector(self._samples, self._gain)
        try:
            yield from self._windows(SpeechWindows(detector, len(self._samples), detection, longest))
        finally:
            detector.close()

    def _windows(self, source: SpeechWindows | FixedWindows) -> Iterator[Sequence[TranscribeEvent]]:
        while not source.finished():
            events: list[TranscribeEvent] = []
            window = source.next_window()
            if window is not None:
                result = self._decode_window(window)
                events += self._emit(window, result)
                stopped_at = result.stopped_at
                source.advance(window, None if stopped_at is None else window.to_file(stopped_at * HUNDREDTH))
            events.append(Progress(done_s=source.cursor / STT_SAMPLE_RATE, total_s=self._total_s))
            if source.finished():
                events.append(self._done(source.speech / STT_SAMPLE_RATE))
            yield events

    def _done(self, speech_s: float) -> TranscriptDone:
        return TranscriptDone(
            language=self._language.found,
            duration_s=self._total_s,
            language_probability=self._language.probability,
            speech_s=min(speech_s, self._total_s),
        )

    def _decode_window(self, window: Window) -> DecodeResult:
        """Decode a window with a short encoder context if it allows, and again with the full one if in doubt."""
        audio = self._audio(window)
        duration_s = window.length / STT_SAMPLE_RATE
        full = self._decode_options(encoder_context.max_tokens(duration_s))
        first = self._short_context(full, duration_s)
        result = self._decode(audio, first)
        if self._language.update(result.languages):  # another language than was assumed
            full, first = (replace(options, language=self._language.code) for options in (full, first))
            result = self._decode(audio, first)
        if first.audio_ctx == encoder_context.FULL or _trustworthy(result, duration_s, translated=full.translate):
            return result
        return self._decode(audio, full)

    def _short_context(self, full: DecodeOptions, duration_s: float) -> DecodeOptions:
        """Return how to decode a window with as few positions as it needs; `full` where that is all of them."""
        if not self._backend.settings.short_context:
            return full
        short = encoder_context.audio_ctx_in_silence(duration_s)
        silence = short != encoder_context.FULL and self._context.has_silence(self._control.threads)
        if not silence:
            multilingual, prompted = self._context.header.multilingual, bool(self._prompt.tokens())
            short = encoder_context.audio_ctx(duration_s, multilingual=multilingual, prompted=prompted)
        if short == encoder_context.FULL:
            return full
        return replace(full, audio_ctx=short, silence=silence, temperature_step=0.0)

    def _decode(self, audio: Audio, options: DecodeOptions) -> DecodeResult:
        control = self._control
        return self._context.decode(audio, options, self._prompt.tokens(), control.threads, lambda: control.cancelled)

    def _decode_options(self, max_tokens: int) -> DecodeOptions:
        translate = self._request.task == "translate"
        return DecodeOptions(
            language=self._language.code,
            translate=translate,
            temperature=self._request.temperature,
            beam_size=self._backend.settings.beam_size,
            best_of=self._backend.settings.best_of,
            token_times=self._request.word_timestamps,
            max_tokens=max_tokens,
            min_logprob=encoder_context.MIN_LOGPROB_TRANSLATED if translate else DecodeOptions.min_logprob,
        )

    def _audio(self, window: Window) -> Audio:
        parts = [self._samples[span.start : span.end] for span in window.spans]
        return amplified(np.concatenate(parts), self._gain)

    def _emit(self, window: Window, result: DecodeResult) -> list[Segment]:
        if result.no_speech_prob > NO_SPEECH and segments.mean_logprob(result.tokens) < NO_SPEECH_LOGPROB:
            return []
        ratio = segments.compression_ratio(segments.joined(result.tokens))
        made = []
        for raw in result.segments:
            if segments.has_words(segments.joined(raw.tokens)):
                made.append(self._segment(window, raw, result, ratio))
        loops = ratio > encoder_context.MAX_COMPRESSION
        self._prompt.add([token for raw in result.segments for token in raw.ids], 1.0 if loops else result.temperature)
        return made

    def _segment(self, window: Window, raw: RawSegment, result: DecodeResult, ratio: float) -> Segment:
        def seconds(sample: int) -> float:
            return round(min(self._total_s, sample / STT_SAMPLE_RATE), 3)

        def word_s(start: int, end: int) -> tuple[float, float]:
            first, last = window.word_to_file(start * HUNDREDTH, end * HUNDREDTH)
            return seconds(first), seconds(last)

        raw_start_s = seconds(window.to_file(max(0, raw.start) * HUNDREDTH))
        raw_end_s = seconds(window.to_file(max(0, raw.end) * HUNDREDTH, ending=True))
        ((start_s, end_s),) = segments.lasting([(raw_start_s, raw_end_s)], (self._last_end_s, self._total_s))
        self._last_end_s = end_s
        language = self._language.code
        words = self._words(raw, word_s) if self._request.word_timestamps else ()
        segment = Segment(
            id=self._segments,
            seek=window.start // HUNDREDTH,
            start_s=start_s,
            end_s=end_s,
            text=segments.joined(raw.tokens),
            tokens=raw.ids,
            temperature=result.temperature,
            avg_logprob=segments.mean_logprob(raw.tokens),
            compression_ratio=ratio,
            no_speech_prob=result.no_speech_prob,
            words=words,
            logprobs=segments.logprobs(raw.tokens) if self._request.logprobs else (),
            language=language,
        )
        self._segments += 1
        return segment

    def _words(self, raw: RawSegment, word_s: Callable[[int, int], tuple[float, float]]) -> tuple[Word, ...]:
        words = segments.words(raw.tokens, self._language.code, word_s, (self._last_word_s, self._total_s))
        self._last_word_s = words[-1].end_s if words else self._last_word_s
        return words


def _trustworthy(result: DecodeResult, duration_s: float, *, translated: bool) -> bool:
    """Return whether the result of a short encoder context, possibly empty, can be trusted."""
    if not result.tokens:
        return result.no_speech_prob > NO_SPEECH
    if encoder_context.outlasts(result.segments[-1].end / 100, duration_s):
        return False
    logprobs = [token.logprob for token in result.tokens]
    return encoder_context.trustworthy(segments.joined(result.tokens), logprobs, duration_s, translated=translated)
