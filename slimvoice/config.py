"""Every setting. Sources in rising order: YAML file, environment `SLIMVOICE_*`, command-line flags."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """All settings of slimvoice; the description of each field is its documentation."""

    model_config = SettingsConfigDict(env_prefix="SLIMVOICE_", extra="forbid", frozen=True)

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

    # server
    host: str = Field("127.0.0.1", description="Address to bind.")
    port: int = Field(8000, ge=0, le=65535, description="Port to bind; 0 picks a free one.")

    # engine
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N.")
    threads: int = Field(0, ge=0, description="Compute threads per worker; 0: the cores this container really has.")
    slots: int = Field(
        0, ge=0, le=64, description="Jobs that run at once in one worker; 0: chosen from cores and model."
    )
    keep_alive: str = Field(
        "5m", description="How long an idle model stays loaded: 5m, 90s, 0 (unload at once), -1 (for ever)."
    )
    ram_budget: str = Field("auto", description="RAM for models: auto, bytes (4GB) or percent (50%).")
    gpu_budget: str = Field("auto", description="Memory of each GPU for models: auto, bytes or percent.")
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
    allowed_hosts: str = Field(
        "",
        description="Host names, comma-separated, that a keyless server on loopback answers to besides its own.",
    )
    cors_origins: str = Field(
        "", description="Origins of web pages, comma-separated, that may call from a browser; empty: none, *: any."
    )

    # limits
    body_timeout_s: float = Field(300, gt=0, description="Seconds an upload may take to arrive.")
    max_upload_mb: int = Field(200, gt=0, description="Largest upload in megabytes.")
    max_audio_s: float = Field(4 * 3600, gt=0, description="Longest audio in seconds.")
    max_text_chars: int = Field(4096, gt=0, description="Longest text to speak, in characters.")

    # logs
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe line that is logged."
    )
    log_format: Literal["auto", "text", "json"] = Field("auto", description="auto: text on a terminal, JSON elsewhere.")
