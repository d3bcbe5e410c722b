"""A loaded whisper model: weights shared by any number of states; encodes and decodes one window on one state."""

from __future__ import annotations

import ctypes as c
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from slimvoice.backends.whisper_cpp import libwhisper
from slimvoice.backends.whisper_cpp.model_file import HALF_FLOATS, check_model_file
from slimvoice.backends.whisper_cpp.quantize import as_q8_0
from slimvoice.backends.whisper_cpp.segments import Token
from slimvoice.errors import Cancelled, Inference, ModelLoad

Audio = npt.NDArray[np.float32]
SHORTEST = libwhisper.SAMPLE_RATE
"""Samples below which audio is padded: whisper.cpp ignores what is under 0.1 s, and an empty call would transcribe
the state's previous audio again."""
_STATE_FREED = -7
"""Return code of whisper_full after which it has freed the state itself."""
SILENCE_STRIDE = 4
"""Of so many positions of silence one is kept, with the weight of all: 9 MB for whisper:base, 28 for small."""
_NEVER = 2.0
MAX_PROMPT_BYTES = 2000
"""whisper.cpp tokenizes with std::regex, which recurses along its input, in quadratic time; 223 tokens are less."""


@dataclass(frozen=True)
class DecodeOptions:
    """Options for decoding one window."""

    language: str = "en"
    translate: bool = False
    temperature: float = 0.0
    temperature_step: float = 0.4
    """Added at each fallback up to 1.0; 0: no fallback. whisper.cpp's 0.2 decodes a hopeless window six times."""
    beam_size: int = 1
    best_of: int = 5
    token_times: bool = False
    audio_ctx: int = 0
    """Encoder positions (50 a second) to use; 0: all 1500."""
    silence: bool = False
    """Whether a short audio_ctx attends to silence in place of what it leaves out (WhisperContext.has_silence)."""
    max_tokens: int = 0
    min_logprob: float = -1.0
    """Mean log-probability below which the next temperature is tried."""


@dataclass(frozen=True)
class RawSegment:
    """A segment as whisper decoded it; `start` and `end` are hundredths of a second in the window."""

    start: int
    end: int
    ids: tuple[int, ...]
    """All tokens, timestamps too."""
    tokens: tuple[Token, ...]
    """Text tokens only."""


@dataclass(frozen=True)
class DecodeResult:
    """The result of one run of the encoder and decoder."""

    segments: tuple[RawSegment, ...]
    temperature: float
    stopped_at: int | None
    """Hundredths of a second where whisper would go on hearing this window; None: it is through."""
    no_speech_prob: float
    languages: dict[str, float]
    """Probability of each language the model knows."""

    @property
    def tokens(self) -> tuple[Token, ...]:
        """All text tokens."""
        return tuple(token for raw in self.segments for token in raw.tokens)


class WhisperContext:
    """Weights, and a pool of states: each run borrows one; as many exist as ever ran at once."""

    def __init__(self, weights: Path, *, gpu_device: int | None, quantize: bool = False, threads: int = 1) -> None:
        """Load `weights`; to `quantize` holds 16-bit floats as q8_0 on a processor. Raises ModelLoad."""
        self.header = check_model_file(weights)
        self._library = libwhisper.open_library()
        params = libwhisper.default_context_params(self._library)
        params.use_gpu = gpu_device is not None
        params.gpu_device = gpu_device or 0
        if gpu_device is not None and libwhisper.gpu_count(self._library) == 0:
            raise ModelLoad("this build of whisper.cpp sees no GPU", hint="use the CUDA or Vulkan image, or device cpu")
        to_quantize = quantize and gpu_device is None and self.header.ftype == HALF_FLOATS
        with as_q8_0(weights, threads) if to_quantize else nullcontext(weights) as file:
            self._context: int | None = self._library.whisper_init_from_file_with_params_no_state(
                str(file).encode(), params
            )
        if not self._context:
            raise ModelLoad(f"whisper.cpp does not load {weights.name}", detail=libwhisper.last_log_lines())
        self.eot: int = self._library.whisper_token_eot(self._context)
        self.max_prompt_tokens: int = self._library.whisper_n_text_ctx(self._context) // 2 - 1
        self.languages = self._languages()
        self._silence: bool | None = None if libwhisper.knows_silence(self._library) else False
        self._silence_lock = Lock()
        self._idle: list[_State] = []
        self._lock = Lock()
        self._token_bytes = lru_cache(maxsize=None)(self._look_up_token)

    def _languages(self) -> tuple[str, ...]:
        """Return codes in whisper's order; its table holds languages that older models have no token for."""
        if not self.header.multilingual:
            return ("en",)
        count = min(self.header.n_languages, self._library.whisper_lang_max_id() + 1)
        return tuple(self._library.whisper_lang_str(i).decode() for i in range(count))

    def close(self) -> None:
        """Free states and weights; nothing may be running."""
        with self._lock:
            for state in self._idle:
                self._library.whisper_free_state(state.handle)
            self._idle.clear()
            if self._context:
                self._library.whisper_free(self._context)
                self._context = None

    def has_silence(self, threads: int) -> bool:
        """Return whether runs can attend to silence; the first call encodes it, as long as a run of the full context.

        False for the wheel, and where there is no memory for it.
        """
        with self._silence_lock:
            if self._silence is None:
                state = self._take(fresh=True)
                code = self._library.whisper_silence_init(self._context, state.handle, SILENCE_STRIDE, max(1, threads))
                self._silence = code == 0
                with self._lock:
                    self._idle.append(state)
        return self._silence

    @contextmanager
    def _borrowed(self, audio_ctx: int) -> Iterator[_State]:
        """Lend a state to one run. A run of the full context gets a fresh one, or one that has only seen such runs.

        The 36 positions by which flash attention pads it would otherwise hold what a shorter run left there.
        """
        state = self._take(fresh=audio_ctx == 0)
        state.short_runs = state.short_runs or audio_ctx != 0
        try:
            yield state
        finally:
            if not state.gone:
                with self._lock:
                    self._idle.append(state)

    def _take(self, *, fresh: bool) -> _State:
        with self._lock:
            fitting = [state for state in self._idle if state.short_runs != fresh] or self._idle
            state = fitting[-1] if fitting else None
            if state is not None:
                self._idle.remove(state)
        if state is not None and not (fresh and state.short_runs):
            return state
        if state is not None:
            self._library.whisper_free_state(state.handle)
        handle = self._library.whisper_init_state(self._context)
        if not handle:
            raise Inference("no memory for another whisper state", detail=libwhisper.last_log_lines())
        return _State(handle)

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the text tokens of the end of `text`, at most as many as a prompt may have."""
        end = text.encode(errors="ignore")[-MAX_PROMPT_BYTES:].decode(errors="ignore")
        data = "".join(ch for ch in end if ch.isprintable() or ch.isspace()).encode()
        buffer = (c.c_int32 * (len(data) + 1))()
        count = self._library.whisper_tokenize(self._context, data, buffer, len(buffer))
        tokens = tuple(token for token in buffer[: max(0, count)] if token < self.eot)
        return tokens[-self.max_prompt_tokens :]

    def decode(
        self,
        audio: Audio,
        options: DecodeOptions,
        prompt: Sequence[int],
        threads: int,
        cancelled: Callable[[], bool],
    ) -> DecodeResult:
        """Run the encoder once over `audio` (float32 [n_samples], at most 30 s) and decode its text.

        Raises Cancelled once `cancelled()`, Inference when whisper.cpp fails.
        """
        callbacks = _RunCallbacks(options, cancelled)
        params = self._params(options, prompt, threads)
        params.abort_callback = callbacks.abort
        params.encoder_begin_callback = callbacks.encoder_begin
        params.logits_filter_callback = callbacks.logits_filter
        attends_to_silence = options.silence and self.has_silence(threads)
        with self._borrowed(options.audio_ctx) as state:
            if self._silence:
                self._library.whisper_silence_use(state.handle, attends_to_silence)
            code = self._full(state, params, _padded(audio))
            if callbacks.aborted:
                raise Cancelled("the transcription was cancelled")
            if code != 0:
                raise Inference(f"whisper.cpp failed with code {code}", detail=libwhisper.last_log_lines())
            segments = tuple(self._raw_segments(state.handle))
            no_speech_prob, languages = self._first_token(state.handle, threads)
        stopped_at = segments[-1].end if callbacks.encoder_runs > 1 and segments else None
        return DecodeResult(segments, callbacks.temperature, stopped_at, no_speech_prob, languages)

    def _first_token(self, state: int, threads: int) -> tuple[float, dict[str, float]]:
        """Decode the start token on what the encoder just heard: no-speech and language probabilities.

        whisper.cpp 1.8.5 reads its own no-speech probability from the wrong row of logits, where the previous run
        left something; and detecting the language by its own function would run the encoder twice.
        """
        library = self._library
        start = (c.c_int32 * 1)(library.whisper_token_sot(self._context))
        code = library.whisper_decode_with_state(self._context, state, start, 1, 0, max(1, threads))
        if code != 0:
            raise Inference(f"whisper.cpp failed with code {code}", detail=libwhisper.last_log_lines())
        logits = np.ctypeslib.as_array(library.whisper_get_logits_from_state(state), (self.header.n_vocab,))
        odds = np.exp(logits - logits.max())
        no_speech = float(odds[library.whisper_token_nosp(self._context)] / odds.sum())
        if not self.header.multilingual:
            return no_speech, {"en": 1.0}
        spoken = odds[[library.whisper_token_lang(self._context, i) for i in range(len(self.languages))]]
        return no_speech, dict(zip(self.languages, (spoken / spoken.sum()).tolist(), strict=True))

    def _params(self, options: DecodeOptions, prompt: Sequence[int], threads: int) -> libwhisper.FullParams:
        strategy = libwhisper.BEAM_SEARCH if options.beam_size > 1 else libwhisper.GREEDY
        params = libwhisper.default_full_params(self._library, strategy)
        params.n_threads = max(1, threads)
        params.no_context = True
        params.language = options.language.encode()
        params.translate = options.translate
        params.temperature = options.temperature
        params.temperature_inc = options.temperature_step
        params.greedy_best_of = min(libwhisper.MAX_DECODERS, max(1, options.best_of))
        params.beam_size = min(libwhisper.MAX_DECODERS, max(1, options.beam_size))
        params.no_speech_thold = _NEVER  # judged by the caller: see _first_token
        params.token_timestamps = options.token_times
        params.logprob_thold = options.min_logprob
        params.audio_ctx = options.audio_ctx
        params.max_tokens = options.max_tokens
        if prompt:
            params.prompt_tokens = (c.c_int32 * len(prompt))(*prompt)
            params.prompt_n_tokens = len(prompt)
        return params

    def _full(self, state: _State, params: libwhisper.FullParams, audio: Audio) -> int:
        code: int = self._library.whisper_full_with_state(
            self._context, state.handle, params, audio.ctypes.data, len(audio)
        )
        libwhisper.log.expected = False
        state.gone = code == _STATE_FREED
        return code

    def _raw_segments(self, state: int) -> Iterator[RawSegment]:
        library = self._library
        for i in range(library.whisper_full_n_segments_from_state(state)):
            count = library.whisper_full_n_tokens_from_state(state, i)
            data = [library.whisper_full_get_token_data_from_state(state, i, j) for j in range(count)]
            yield RawSegment(
                start=library.whisper_full_get_segment_t0_from_state(state, i),
                end=library.whisper_full_get_segment_t1_from_state(state, i),
                ids=tuple(token.id for token in data),
                tokens=tuple(
                    Token(token.id, self._token_bytes(token.id), token.p, token.plog, token.t0, token.t1)
                    for token in data
                    if token.id < self.eot
                ),
            )

    def _look_up_token(self, token: int) -> bytes:
        text: bytes | None = self._library.whisper_token_to_str(self._context, token)
        return text or b""


@dataclass
class _State:
    """Caches and buffers of one run at a time; `gone` once whisper.cpp has freed it."""

    handle: int
    short_runs: bool = False
    gone: bool = False


class _RunCallbacks:
    """Callbacks of one run: cancel it, stop it before a second encoder run, see which temperature it ended with."""

    def __init__(self, options: DecodeOptions, cancelled: Callable[[], bool]) -> None:
        self.aborted = False
        self.encoder_runs = 0
        self._attempts = 0
        self._decoding = options
        self._cancelled = cancelled
        self.abort = libwhisper.AbortCallback(self._abort)
        self.encoder_begin = libwhisper.EncoderBeginCallback(self._encoder_begin)
        self.logits_filter = libwhisper.LogitsFilterCallback(self._logits_filter)

    def _abort(self, _user_data: int | None) -> bool:
        self.aborted = self.aborted or self._cancelled()
        return self.aborted

    def _encoder_begin(self, *_: object) -> bool:
        self.encoder_runs += 1
        libwhisper.log.expected = self.encoder_runs > 1
        return self.encoder_runs == 1

    def _logits_filter(self, _context: int, _state: int, _tokens: int, n_tokens: int, *_: object) -> None:
        # Before the first token of each attempt; whisper.cpp does not tell the temperature otherwise.
        self._attempts += n_tokens == 0

    @property
    def temperature(self) -> float:
        """Temperature of the last attempt."""
        raised = self._decoding.temperature + self._decoding.temperature_step * max(0, self._attempts - 1)
        return min(1.0, raised) if raised > self._decoding.temperature else self._decoding.temperature


def _padded(audio: Audio) -> Audio:
    if len(audio) >= SHORTEST:
        return np.ascontiguousarray(audio, np.float32)
    return np.concatenate([audio.astype(np.float32), np.zeros(SHORTEST - len(audio), np.float32)])
