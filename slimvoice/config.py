"""Every setting. Sources in rising order: YAML file, environment `SLIMVOICE_*`, command-line flags."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

DURATION = r"(-?[0-9]{1,9}(?:\.[0-9]{1,3})?) ?(ms|s|m|h|d|)"
"""How a length of time is written: `5m`, `1.5h`, `30`."""

_SECONDS = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
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


def _duration(text: str) -> str:
    duration_s(text)
    return text


def _budget(text: str) -> str:
    budget_bytes(text, 0)
    return text


def _words(value: object) -> object:
    """Let a YAML file give `5` for "5", and a list for names."""
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Words = Annotated[str, BeforeValidator(_words)]
Duration = Annotated[Words, AfterValidator(_duration)]
Budget = Annotated[Words, AfterValidator(_budget)]


class Settings(BaseModel):
    """All settings of slimvoice; the description of each field is its documentation."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    # storage and models
    home: Path = Field(
        Path("~/.slimvoice"), description="Folder of models, keys, voices and cache (/data in a container)."
    )
    mirror: str = Field("", description="Folder or URL laid out as the hub is ({repo}/{path}); asked before the hub.")
    offline: bool = Field(False, description="Touch no network.")
    auto_pull: Literal["off", "catalog", "any"] = Field(
        "off", description="Pull a model on first use: never, if the catalog names it, or any hub repository."
    )
    default_stt: str = Field(
        "whisper:base", description="Model behind whisper-1 and the other OpenAI transcription names."
    )
    default_tts: str = Field("kokoro", description="Model behind tts-1 and the other OpenAI speech names.")

    pull: Words = Field(
        "", description="Models that serve pulls in the background when it starts; `starters`: the two small ones."
    )
    preload: Words = Field("", description="Models that serve loads when it starts, and keeps loaded.")
    speech_cache_mb: int = Field(
        0, ge=0, description="Megabytes of finished speech that the volume keeps, to be said again at once; 0: none."
    )

    # server
    host: str = Field("127.0.0.1", description="Address to bind.")
    port: int = Field(8000, ge=0, le=65535, description="Port to bind; 0 picks a free one.")

    # engine
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?|vulkan(:\d+)?)$",
        description="auto, cpu, cuda or cuda:N; vulkan or vulkan:N in the Vulkan image (experimental, never by auto).",
    )
    threads: int = Field(0, ge=0, description="Compute threads per worker; 0: the cores this container really has.")
    slots: int = Field(
        0, ge=0, le=64, description="Jobs that run at once in one worker; 0: chosen from cores and model."
    )
    keep_alive: Duration = Field(
        "5m", description="How long an idle model stays loaded: 5m, 90s, 0 (unload at once), -1 (for ever)."
    )
    ram_budget: Budget = Field("auto", description="RAM for models: auto, bytes (4GB) or percent (50%).")
    gpu_budget: Budget = Field("auto", description="Memory of each GPU for models: auto, bytes or percent.")
    queue: int = Field(32, ge=0, description="Requests that may wait per model; past it 429 with Retry-After.")
    request_timeout_s: float = Field(600, gt=0, description="Seconds a request may take, queueing included.")
    step_timeout_s: float = Field(
        120, gt=0, description="Seconds one window or sentence may take before its worker counts as wedged."
    )
    drain_s: float = Field(10, ge=0, description="Seconds that running jobs get to finish at shutdown.")
    probe_interval_s: float = Field(0, ge=0, description="Seconds between deep probes of idle models; 0: only at load.")

    # who may ask
    auth: Literal["auto", "on", "off"] = Field(
        "auto", description="Ask for an API key: auto asks on every address but loopback."
    )
    open_lists: bool = Field(
        True, description="List models and voices without a key, as Open WebUI asks for them; names only."
    )
    allowed_hosts: Words = Field(
        "",
        description="Host names, comma-separated, that a keyless server on loopback answers to besides its own.",
    )
    cors_origins: Words = Field(
        "", description="Origins of web pages, comma-separated, that may call from a browser; empty: none, *: any."
    )

    # limits
    body_timeout_s: float = Field(300, gt=0, description="Seconds an upload may take to arrive.")
    max_upload_mb: int = Field(200, gt=0, description="Largest upload in megabytes.")
    max_audio_s: float = Field(4 * 3600, gt=0, description="Longest audio in seconds.")
    max_requests: int = Field(256, gt=0, description="Requests served at once; past it 429.")
    max_held_audio_s: float = Field(
        8 * 3600,
        gt=0,
        description="Seconds of audio that all requests together may hold decoded (32 kB each); past it 429.",
    )
    max_text_chars: int = Field(4096, gt=0, description="Longest text to speak, in characters.")

    # logs
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe line that is logged."
    )
    log_format: Literal["auto", "text", "json"] = Field("auto", description="auto: text on a terminal, JSON elsewhere.")
