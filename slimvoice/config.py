"""Every setting. Sources in rising order: YAML file, environment `SLIMVOICE_*`, command-line flags."""

from __future__ import annotations

import re
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

DURATION = r"(-?[0-9]{1,9}(?:\.[0-9]{1,3})?) ?(ms|s|m|h|d|)"
"""How a length of time is written: `5m`, `1.5h`, `30`."""

_SECONDS = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?|vulkan(:\d+)?")
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}
_FLAGS = {"yes": True, "on": True, "y": True, "t": True, "no": False, "off": False, "n": False, "f": False}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,3})?) ?(%|[kmgt]?i?b?)", re.IGNORECASE)
_THOUSANDS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def duration_s(text: str) -> float:
    """Read `5m`, `90s`, `1.5h`, `30` or `-1` (for ever, as Ollama says it) as seconds; raises ValueError."""
    match = re.fullmatch(DURATION, text.strip())
    if match is None:
        raise ValueError("must be like 5m, 90s, 0 or -1")
    return float(match[1]) * _SECONDS[match[2]]


def budget_bytes(text: str, total_bytes: int) -> int | None:
    """Read `4GB`, `512MiB`, `1000000` or `50%` of `total_bytes`; `auto` is None. Raises ValueError."""
    text = text.strip().casefold()
    if text == "auto":
        return None
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("must be auto, bytes like 4GB or 512MiB, or a percentage like 50%")
    number, unit = float(match[1]), match[2]
    if unit == "%":
        if not 0 < number <= 100:
            raise ValueError("must be between 0% and 100%")
        return int(total_bytes * number / 100)
    base = 1024 if "i" in unit else 1000
    return int(number * base ** _THOUSANDS[unit.rstrip("ib")])


def names(text: str) -> tuple[str, ...]:
    """Return the names in a setting that lists them, separated by spaces or commas."""
    return tuple(text.replace(",", " ").split())


def _text_or_list(value: object) -> object:
    """Let a YAML file give `5` for "5", and a list for names."""
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _duration(value: object) -> object:
    if isinstance(value, str):
        duration_s(value)
    return value


def _budget(value: object) -> object:
    if isinstance(value, str):
        budget_bytes(value, 0)
    return value


def _device(value: object) -> object:
    if isinstance(value, str) and not _DEVICE.fullmatch(value):
        raise ValueError("must be auto, cpu, cuda or cuda:N, vulkan or vulkan:N")
    return value


def _flag(value: object) -> object:
    """Let a variable give `yes` for true, as YAML does."""
    return _FLAGS.get(value.strip().casefold(), value) if isinstance(value, str) else value


def _choice(value: object) -> object:
    """Undo what YAML makes of a bare `on` and `off`."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


# Callables in Annotated parse the raw value, in order; they raise ValueError.
TextOrList = Annotated[str, _text_or_list]
Duration = Annotated[TextOrList, _duration]
Budget = Annotated[TextOrList, _budget]
Device = Annotated[str, _device]
Flag = Annotated[bool, _flag]
Count = Annotated[int, Meta(ge=0)]
Slots = Annotated[int, Meta(ge=0, le=64)]
Port = Annotated[int, Meta(ge=0, le=65535)]
PositiveInt = Annotated[int, Meta(gt=0)]
Seconds = Annotated[float, Meta(ge=0)]
PositiveSeconds = Annotated[float, Meta(gt=0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All settings of slimvoice; the text beside the type of each is its documentation.

    Structs of msgspec and not pydantic's models, since every command reads the settings and pydantic takes a tenth of
    a second to import.
    """

    # storage and models
    home: Annotated[Path, "Folder of models, keys, voices and cache (/data in a container)."] = Path("~/.slimvoice")
    mirror: Annotated[str, "Folder or URL laid out as the hub is ({repo}/{path}); asked before the hub."] = ""
    offline: Annotated[Flag, "Touch no network."] = False
    auto_pull: Annotated[
        Literal["off", "catalog", "any"],
        _choice,
        "Pull a model on first use: never, if the catalog names it, or any hub repository.",
    ] = "off"
    default_stt: Annotated[str, "Model behind whisper-1 and the other OpenAI transcription names."] = "whisper:base"
    default_tts: Annotated[str, "Model behind tts-1 and the other OpenAI speech names."] = "kokoro"

    pull: Annotated[
        TextOrList, "Models that serve pulls in the background when it starts; `starters`: the two small ones."
    ] = ""
    preload: Annotated[TextOrList, "Models that serve loads when it starts, and keeps loaded."] = ""
    speech_cache_mb: Annotated[
        Count, "Megabytes of finished speech that the volume keeps, to be said again at once; 0: none."
    ] = 0

    # server
    host: Annotated[str, "Address to bind."] = "127.0.0.1"
    port: Annotated[Port, "Port to bind; 0 picks a free one."] = 8000

    # engine
    device: Annotated[
        Device, "auto, cpu, cuda or cuda:N; vulkan or vulkan:N in the Vulkan image (experimental, never by auto)."
    ] = "auto"
    threads: Annotated[Count, "Compute threads per worker; 0: the cores this container really has."] = 0
    slots: Annotated[Slots, "Jobs that run at once in one worker; 0: chosen from cores and model."] = 0
    keep_alive: Annotated[
        Duration, "How long an idle model stays loaded: 5m, 90s, 0 (unload at once), -1 (for ever)."
    ] = "5m"
    ram_budget: Annotated[Budget, "RAM for models: auto, bytes (4GB) or percent (50%)."] = "auto"
    gpu_budget: Annotated[Budget, "Memory of each GPU for models: auto, bytes or percent."] = "auto"
    queue: Annotated[Count, "Requests that may wait per model; past it 429 with Retry-After."] = 32
    request_timeout_s: Annotated[PositiveSeconds, "Seconds a request may take, queueing included."] = 600
    step_timeout_s: Annotated[
        PositiveSeconds, "Seconds one window or sentence may take before its worker counts as wedged."
    ] = 120
    drain_s: Annotated[Seconds, "Seconds that running jobs get to finish at shutdown."] = 10
    probe_interval_s: Annotated[Seconds, "Seconds between deep probes of idle models; 0: only at load."] = 0

    # who may ask
    auth: Annotated[
        Literal["auto", "on", "off"], _choice, "Ask for an API key: auto asks on every address but loopback."
    ] = "auto"
    open_lists: Annotated[Flag, "List models and voices without a key, as Open WebUI asks for them; names only."] = True
    allowed_hosts: Annotated[
        TextOrList, "Host names, comma-separated, that a keyless server on loopback answers to besides its own."
    ] = ""
    cors_origins: Annotated[
        TextOrList, "Origins of web pages, comma-separated, that may call from a browser; empty: none, *: any."
    ] = ""

    # limits
    body_timeout_s: Annotated[PositiveSeconds, "Seconds an upload may take to arrive."] = 300
    max_upload_mb: Annotated[PositiveInt, "Largest upload in megabytes."] = 200
    max_audio_s: Annotated[PositiveSeconds, "Longest audio in seconds."] = 4 * 3600
    max_requests: Annotated[PositiveInt, "Requests served at once; past it 429."] = 256
    max_held_audio_s: Annotated[
        PositiveSeconds, "Seconds of audio that all requests together may hold decoded (32 kB each); past it 429."
    ] = 8 * 3600
    max_text_chars: Annotated[PositiveInt, "Longest text to speak, in characters."] = 4096

    # logs
    log_level: Annotated[Literal["debug", "info", "warning", "error"], "Least severe line that is logged."] = "info"
    log_format: Annotated[Literal["auto", "text", "json"], "auto: text on a terminal, JSON elsewhere."] = "auto"

    # Settings that are written as text, parsed once.

    @cached_property
    def keep_alive_s(self) -> float:
        """`keep_alive` in seconds; negative: for ever."""
        return duration_s(self.keep_alive)

    @cached_property
    def pull_names(self) -> tuple[str, ...]:
        """The names in `pull`."""
        return names(self.pull)

    @cached_property
    def preload_names(self) -> tuple[str, ...]:
        """The names in `preload`."""
        return names(self.preload)

    @cached_property
    def allowed_host_names(self) -> tuple[str, ...]:
        """The names in `allowed_hosts`."""
        return names(self.allowed_hosts)

    @cached_property
    def cors_origin_names(self) -> tuple[str, ...]:
        """The origins in `cors_origins`."""
        return names(self.cors_origins)


def described() -> dict[str, str]:
    """Return what each setting is for, by name."""
    return {name: next(note for note in kind.__metadata__ if isinstance(note, str)) for name, kind in _types().items()}


def read(name: str, value: object) -> Any:
    """Parse the raw value of the setting `name` from a file, a variable or a flag; raises ValueError."""
    kind = _types()[name]
    for reader in filter(callable, kind.__metadata__):
        value = reader(value)
    if isinstance(value, str) and kind.__origin__ is not str:
        value = value.strip()
    try:
        return msgspec.convert(value, kind, strict=False, dec_hook=_custom)
    except msgspec.ValidationError as error:
        bound = re.search(r"[<>]=? \S+$", str(error))
        choices = ", ".join(get_args(kind.__origin__))
        wanted = bound[0] if bound else f"one of {choices}" if choices else _KINDS[kind.__origin__]
        raise ValueError(f"must be {wanted}") from error


def _custom(kind: type, value: object) -> Any:
    if not isinstance(value, str | kind):
        raise msgspec.ValidationError("neither text nor one already")
    return kind(value)


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(Settings, include_extras=True)
