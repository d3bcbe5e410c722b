"""The C interface of whisper.cpp 1.8.5, by ctypes: only what the backend calls.

pywhispercpp's wheel brings the library; its Python layer is not used, because it exposes neither states (several
slots over one set of weights), nor return codes, nor the probability of no speech, and keeps parameters between calls.
Structures are laid out as in `include/whisper.h` of 1.8.5 (https://github.com/ggml-org/whisper.cpp); `open_library`
refuses any other version and checks the layout against the library's own defaults.
"""

from __future__ import annotations

import atexit
import ctypes as c
import math
import sys
from collections import deque
from functools import cache
from threading import local
from typing import Any, ClassVar

from slimvoice.backends.whisper_cpp import variants
from slimvoice.errors import ModelLoad

VERSION = b"1.8.5"
SAMPLE_RATE = 16_000
WINDOW_S = 30
"""Seconds of audio that one run of the encoder sees."""
MAX_DECODERS = 8
"""More than this many beams or candidates make whisper_full fail (-4)."""

GREEDY, BEAM_SEARCH = 0, 1
_LOG_WARNING = 3
_GPU_DEVICES = (1, 2)  # a card of its own; a part of the processor

NewSegmentCallback = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_int, c.c_void_p)
ProgressCallback = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_int, c.c_void_p)
EncoderBeginCallback = c.CFUNCTYPE(c.c_bool, c.c_void_p, c.c_void_p, c.c_void_p)
AbortCallback = c.CFUNCTYPE(c.c_bool, c.c_void_p)
LogitsFilterCallback = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_void_p, c.c_int, c.POINTER(c.c_float), c.c_void_p)
LogCallback = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)


class _Aheads(c.Structure):
    _fields_: ClassVar = [("n_heads", c.c_size_t), ("heads", c.c_void_p)]


class ContextParams(c.Structure):
    """struct whisper_context_params."""

    _fields_: ClassVar = [
        ("use_gpu", c.c_bool),
        ("flash_attn", c.c_bool),
        ("gpu_device", c.c_int),
        ("dtw_token_timestamps", c.c_bool),
        ("dtw_aheads_preset", c.c_int),
        ("dtw_n_top", c.c_int),
        ("dtw_aheads", _Aheads),
        ("dtw_mem_size", c.c_size_t),
    ]


class TokenData(c.Structure):
    """struct whisper_token_data; times are hundredths of a second of the window."""

    _fields_: ClassVar = [
        ("id", c.c_int32),
        ("tid", c.c_int32),
        ("p", c.c_float),
        ("plog", c.c_float),
        ("pt", c.c_float),
        ("ptsum", c.c_float),
        ("t0", c.c_int64),
        ("t1", c.c_int64),
        ("t_dtw", c.c_int64),
        ("vlen", c.c_float),
    ]


class VadParams(c.Structure):
    """struct whisper_vad_params (part of FullParams; unused: states never apply it)."""

    _fields_: ClassVar = [
        ("threshold", c.c_float),
        ("min_speech_duration_ms", c.c_int),
        ("min_silence_duration_ms", c.c_int),
        ("max_speech_duration_s", c.c_float),
        ("speech_pad_ms", c.c_int),
        ("samples_overlap", c.c_float),
    ]


class FullParams(c.Structure):
    """struct whisper_full_params."""

    _fields_: ClassVar = [
        ("strategy", c.c_int),
        ("n_threads", c.c_int),
        ("n_max_text_ctx", c.c_int),
        ("offset_ms", c.c_int),
        ("duration_ms", c.c_int),
        ("translate", c.c_bool),
        ("no_context", c.c_bool),
        ("no_timestamps", c.c_bool),
        ("single_segment", c.c_bool),
        ("print_special", c.c_bool),
        ("print_progress", c.c_bool),
        ("print_realtime", c.c_bool),
        ("print_timestamps", c.c_bool),
        ("token_timestamps", c.c_bool),
        ("thold_pt", c.c_float),
        ("thold_ptsum", c.c_float),
        ("max_len", c.c_int),
        ("split_on_word", c.c_bool),
        ("max_tokens", c.c_int),
        ("debug_mode", c.c_bool),
        ("audio_ctx", c.c_int),
        ("tdrz_enable", c.c_bool),
        ("suppress_regex", c.c_char_p),
        ("initial_prompt", c.c_char_p),
        ("carry_initial_prompt", c.c_bool),
        ("prompt_tokens", c.POINTER(c.c_int32)),
        ("prompt_n_tokens", c.c_int),
        ("language", c.c_char_p),
        ("detect_language", c.c_bool),
        ("suppress_blank", c.c_bool),
        ("suppress_nst", c.c_bool),
        ("temperature", c.c_float),
        ("max_initial_ts", c.c_float),
        ("length_penalty", c.c_float),
        ("temperature_inc", c.c_float),
        ("entropy_thold", c.c_float),
        ("logprob_thold", c.c_float),
        ("no_speech_thold", c.c_float),
        ("greedy_best_of", c.c_int),
        ("beam_size", c.c_int),
        ("beam_patience", c.c_float),
        ("new_segment_callback", NewSegmentCallback),
        ("new_segment_callback_user_data", c.c_void_p),
        ("progress_callback", ProgressCallback),
        ("progress_callback_user_data", c.c_void_p),
        ("encoder_begin_callback", EncoderBeginCallback),
        ("encoder_begin_callback_user_data", c.c_void_p),
        ("abort_callback", AbortCallback),
        ("abort_callback_user_data", c.c_void_p),
        ("logits_filter_callback", LogitsFilterCallback),
        ("logits_filter_callback_user_data", c.c_void_p),
        ("grammar_rules", c.c_void_p),
        ("n_grammar_rules", c.c_size_t),
        ("i_start_rule", c.c_size_t),
        ("grammar_penalty", c.c_float),
        ("vad", c.c_bool),
        ("vad_model_path", c.c_char_p),
        ("vad_params", VadParams),
    ]


class VadContextParams(c.Structure):
    """struct whisper_vad_context_params."""

    _fields_: ClassVar = [("n_threads", c.c_int), ("use_gpu", c.c_bool), ("gpu_device", c.c_int)]


_CTX, _STATE = c.c_void_p, c.c_void_p
_PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "whisper_version": (c.c_char_p, []),
    "whisper_log_set": (None, [LogCallback, c.c_void_p]),
    "whisper_context_default_params_by_ref": (c.POINTER(ContextParams), []),
    "whisper_free_context_params": (None, [c.POINTER(ContextParams)]),
    "whisper_init_from_file_with_params_no_state": (_CTX, [c.c_char_p, ContextParams]),
    "whisper_free": (None, [_CTX]),
    "whisper_init_state": (_STATE, [_CTX]),
    "whisper_free_state": (None, [_STATE]),
    "whisper_full_default_params_by_ref": (c.POINTER(FullParams), [c.c_int]),
    "whisper_free_params": (None, [c.POINTER(FullParams)]),
    "whisper_full_with_state": (c.c_int, [_CTX, _STATE, FullParams, c.c_void_p, c.c_int]),
    "whisper_full_n_segments_from_state": (c.c_int, [_STATE]),
    "whisper_full_get_segment_t0_from_state": (c.c_int64, [_STATE, c.c_int]),
    "whisper_full_get_segment_t1_from_state": (c.c_int64, [_STATE, c.c_int]),
    "whisper_full_n_tokens_from_state": (c.c_int, [_STATE, c.c_int]),
    "whisper_full_get_token_data_from_state": (TokenData, [_STATE, c.c_int, c.c_int]),
    "whisper_token_to_str": (c.c_char_p, [_CTX, c.c_int32]),
    "whisper_token_eot": (c.c_int32, [_CTX]),
    "whisper_token_sot": (c.c_int32, [_CTX]),
    "whisper_token_nosp": (c.c_int32, [_CTX]),
    "whisper_token_lang": (c.c_int32, [_CTX, c.c_int]),
    "whisper_tokenize": (c.c_int, [_CTX, c.c_char_p, c.POINTER(c.c_int32), c.c_int]),
    "whisper_n_text_ctx": (c.c_int, [_CTX]),
    "whisper_lang_max_id": (c.c_int, []),
    "whisper_lang_str": (c.c_char_p, [c.c_int]),
    "whisper_decode_with_state": (c.c_int, [_CTX, _STATE, c.POINTER(c.c_int32), c.c_int, c.c_int, c.c_int]),
    "whisper_get_logits_from_state": (c.POINTER(c.c_float), [_STATE]),
    "whisper_vad_init_from_file_with_params": (c.c_void_p, [c.c_char_p, VadContextParams]),
    "whisper_vad_detect_speech_no_reset": (c.c_bool, [c.c_void_p, c.c_void_p, c.c_int]),
    "whisper_vad_reset_state": (None, [c.c_void_p]),
    "whisper_vad_n_probs": (c.c_int, [c.c_void_p]),
    "whisper_vad_probs": (c.POINTER(c.c_float), [c.c_void_p]),
    "whisper_vad_free": (None, [c.c_void_p]),
}
_SILENCE_PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "whisper_silence_init": (c.c_int, [_CTX, _STATE, c.c_int, c.c_int]),
    "whisper_silence_use": (None, [_STATE, c.c_bool]),
}
"""What docker/steps/whisper.patch adds; the wheel does not have it."""


class _Log(local):
    """Passes warnings and errors of the library on to stderr and remembers this thread's last."""

    def __init__(self) -> None:
        self.last: deque[str] = deque(maxlen=20)
        self.expected = False
        """True while we make the library stop early, which it reports as an error."""
        self._loud = False

    def write(self, level: int, text: bytes, _user_data: int | None) -> None:
        """Take a line, or a part of one, from the library; called on the thread that computes."""
        if level <= _LOG_WARNING + 1:  # level 5 continues the line before
            self._loud = level >= _LOG_WARNING
        if self._loud and text and not self.expected:
            line = text.decode(errors="replace")
            self.last.append(line.rstrip("\n"))
            sys.stderr.write(line)


log = _Log()


def _write_log(level: int, text: bytes, user_data: int | None) -> None:
    log.write(level, text, user_data)  # looked up now: each thread has its own


_log_callback = LogCallback(_write_log)


def last_log_lines() -> str:
    """Return what the library last complained about, for the operator."""
    return "\n".join(log.last)


class _Choice:
    """Which variant this process opens; "": ggml's own choice."""

    variant = ""


def choose_variant(variant: str) -> None:
    """Say which variant `open_library` is to load; of no use after its first call."""
    _Choice.variant = variant


@cache
def open_library() -> c.CDLL:
    """Load whisper.cpp into this process; raises ModelLoad when it is missing or not the version this file knows.

    The extension module is opened rather than a library file: the symbols are found in its dependencies (the wheel)
    and in itself (a static build) alike.
    """
    spec = variants.library_spec(_Choice.variant)
    if spec is None or spec.origin is None:
        from slimvoice.hardware import install_hint

        raise ModelLoad("pywhispercpp is not installed", hint=install_hint())
    try:
        library = c.CDLL(spec.origin)
        for name, (restype, argtypes) in _PROTOTYPES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = restype, argtypes
    except (OSError, AttributeError) as error:
        raise ModelLoad(f"whisper.cpp does not load: {error}", hint="reinstall pywhispercpp==1.5.1") from error
    found = library.whisper_version()
    if found != VERSION:
        raise ModelLoad(f"whisper.cpp is {found!r}, not {VERSION!r}", hint="pip install pywhispercpp==1.5.1")
    library.whisper_log_set(_log_callback, None)
    # A Python callback that is called after the interpreter's end aborts the process.
    atexit.register(library.whisper_log_set, LogCallback(), None)
    variants.load_cpu_code(library, spec, _Choice.variant)
    _check_layout(library)
    return library


def knows_silence(library: c.CDLL) -> bool:
    """Return whether this is a build of ours, whose short contexts attend to silence (encoder_context)."""
    if not all(hasattr(library, name) for name in _SILENCE_PROTOTYPES):
        return False
    for name, (restype, argtypes) in _SILENCE_PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = restype, argtypes
    return True


def gpu_count(library: c.CDLL) -> int:
    """Return how many GPUs the library was built for and sees; -1 when it cannot tell."""
    try:
        count, get, kind = (
            library.ggml_backend_dev_count,
            library.ggml_backend_dev_get,
            library.ggml_backend_dev_type,
        )
    except AttributeError:
        return -1
    count.restype = c.c_size_t
    get.argtypes, get.restype = [c.c_size_t], c.c_void_p
    kind.argtypes, kind.restype = [c.c_void_p], c.c_int
    return sum(kind(get(index)) in _GPU_DEVICES for index in range(count()))


def default_context_params(library: c.CDLL) -> ContextParams:
    """Return the library's own defaults."""
    pointer = library.whisper_context_default_params_by_ref()
    params = ContextParams.from_buffer_copy(pointer.contents)
    library.whisper_free_context_params(pointer)
    return params


def default_full_params(library: c.CDLL, strategy: int) -> FullParams:
    """Return the library's own defaults, silent."""
    pointer = library.whisper_full_default_params_by_ref(strategy)
    params = FullParams.from_buffer_copy(pointer.contents)
    library.whisper_free_params(pointer)
    params.print_progress = False
    return params


def _check_layout(library: c.CDLL) -> None:
    """Compare defaults that lie at both ends and in the middle of the structure with what 1.8.5 sets."""
    full = default_full_params(library, BEAM_SEARCH)
    seen = (
        full.n_max_text_ctx,
        full.language,
        full.entropy_thold,
        full.no_speech_thold,
        full.beam_size,
        full.grammar_penalty,
        full.vad_params.threshold,
        full.vad_params.samples_overlap,
    )
    expected = (16384, b"en", 2.4, 0.6, 5, 100.0, 0.5, 0.1)
    same = all(
        math.isclose(a, b, rel_tol=1e-5) if isinstance(b, float) else a == b
        for a, b in zip(seen, expected, strict=True)
    )
    if not same or default_context_params(library).dtw_mem_size != 128 * 1024 * 1024:
        raise ModelLoad("whisper.cpp's parameters are not laid out as in 1.8.5", hint="pip install pywhispercpp==1.5.1")
