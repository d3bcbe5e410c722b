"""Every error slimvoice raises on purpose.

    SlimvoiceError
    ├── InvalidRequest            a bad field; names `param`
    │   └── InvalidAudio          bytes that do not decode
    ├── Authentication, PermissionDenied
    ├── NotFound
    │   ├── ModelNotFound         no such name
    │   └── ModelNotPulled        known, but its files are not here
    ├── TooLarge                  bytes, seconds or characters over a limit
    ├── Overloaded, RateLimited   come back later
    ├── Inference, ModelLoad      deterministic faults of a model
    ├── Upstream                  a remote provider or server failed; retryable by its cause
    ├── WorkerCrashed, WorkerWedged, DeviceBroken, ModelFailed, ShuttingDown
    ├── InsufficientMemory
    ├── DeadlineExceeded, Cancelled
    ├── PullError                 Gated, SourceMissing, SourceUnreachable, DiskFull, Corrupted, Offline
    └── ConfigError

Errors cross process borders as data (`to_data`, `from_data`), never pickled. HTTP statuses live in `api/errors.py`.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class ErrorData(msgspec.Struct, frozen=True, kw_only=True):
    """A SlimvoiceError as it crosses a pipe."""

    code: str
    message: str
    hint: str = ""
    param: str | None = None
    retry_after_s: float | None = None
    detail: str = ""
    retryable: bool | None = None
    """Where the cause and not the class decides; None: as the class says."""


class SlimvoiceError(Exception):
    """An error with a stable code, a message for the client and a hint on what to do next.

    `detail` is for the operator (log) only: a native trace, a worker's stderr. `retryable` is the class's own answer to
    whether the same request may succeed later, unless the cause is known to decide otherwise.
    """

    code: ClassVar[str] = "internal_error"
    retryable: bool = False
    _by_code: ClassVar[dict[str, type[SlimvoiceError]]] = {}

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        param: str | None = None,
        retry_after_s: float | None = None,
        detail: str = "",
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.param = param
        self.retry_after_s = retry_after_s
        self.detail = detail
        if retryable is not None:
            self.retryable = retryable

    def __init_subclass__(cls) -> None:
        if "code" in cls.__dict__:
            SlimvoiceError._by_code[cls.code] = cls

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def to_data(self) -> ErrorData:
        """Return this error as data that can cross a pipe."""
        return ErrorData(
            code=self.code,
            message=self.message,
            hint=self.hint,
            param=self.param,
            retry_after_s=self.retry_after_s,
            detail=self.detail,
            retryable=self.__dict__.get("retryable"),
        )

    @staticmethod
    def from_data(data: ErrorData) -> SlimvoiceError:
        """Rebuild the error that `to_data` described; an unknown code becomes a plain SlimvoiceError."""
        cls = SlimvoiceError._by_code.get(data.code, SlimvoiceError)
        return cls(
            data.message,
            hint=data.hint,
            param=data.param,
            retry_after_s=data.retry_after_s,
            detail=data.detail,
            retryable=data.retryable,
        )


class InvalidRequest(SlimvoiceError):
    """A field of the request is wrong; `param` names it."""

    code = "invalid_request"


class InvalidAudio(InvalidRequest):
    """The audio is empty, damaged or of a kind that cannot be decoded."""

    code = "invalid_audio"


class Unsupported(InvalidRequest):
    """The model cannot do what was asked (diarization, translation by an English-only model, ...)."""

    code = "unsupported"


class Authentication(SlimvoiceError):
    """No valid key came with the request."""

    code = "invalid_api_key"


class PermissionDenied(SlimvoiceError):
    """The key is valid but lacks the scope."""

    code = "permission_denied"


class NotFound(SlimvoiceError):
    """No such thing."""

    code = "not_found"


class ModelNotFound(NotFound):
    """No model has this name."""

    code = "model_not_found"


class ModelNotPulled(NotFound):
    """The model is known but its files are not on this machine; the hint is the pull command."""

    code = "model_not_pulled"


class TooLarge(SlimvoiceError):
    """Bytes, seconds or characters above a limit."""

    code = "too_large"


class Overloaded(SlimvoiceError):
    """The queue of the model is full."""

    code = "overloaded"
    retryable = True


class RateLimited(SlimvoiceError):
    """The key has used up its rate."""

    code = "rate_limit_exceeded"
    retryable = True


class Inference(SlimvoiceError):
    """The runtime failed on this input; the same input would fail again."""

    code = "inference_failed"


class ModelLoad(SlimvoiceError):
    """The model could not be loaded."""

    code = "model_load_failed"


class Upstream(SlimvoiceError):
    """A remote provider failed, or the server that a command calls; whoever raises it knows whether to try again."""

    code = "upstream_failed"


class WorkerCrashed(SlimvoiceError):
    """The worker process died while it had this job."""

    code = "worker_crashed"
    retryable = True


class WorkerWedged(SlimvoiceError):
    """The worker made no progress within its step deadline, or its GPU context broke."""

    code = "worker_wedged"
    retryable = True


class DeviceBroken(SlimvoiceError):
    """The worker's GPU context is beyond repair (a sticky CUDA error); only a new process helps."""

    code = "device_broken"
    retryable = True


class ModelFailed(SlimvoiceError):
    """The model's workers failed too often; it is cooling down."""

    code = "model_failed"
    retryable = True


class ShuttingDown(SlimvoiceError):
    """The server is stopping."""

    code = "shutting_down"
    retryable = True


class InsufficientMemory(SlimvoiceError):
    """The model does not fit the memory budget of its device."""

    code = "insufficient_memory"


class DeadlineExceeded(SlimvoiceError):
    """The request ran out of its time."""

    code = "deadline_exceeded"
    retryable = True


class Cancelled(SlimvoiceError):
    """The client went away."""

    code = "cancelled"


class PullError(SlimvoiceError):
    """A model could not be pulled."""

    code = "pull_failed"


class Gated(PullError):
    """The hub asks for a token, or for terms to be accepted."""

    code = "gated"


class SourceMissing(PullError):
    """The source answered, and the repository, revision or file is not there."""

    code = "source_missing"


class SourceUnreachable(PullError):
    """No source answered."""

    code = "source_unreachable"
    retryable = True


class DiskFull(PullError):
    """The volume has no room."""

    code = "disk_full"


class Corrupted(PullError):
    """Size or sha256 is not what it should be."""

    code = "corrupted"


class Offline(PullError):
    """Asked to stay off the network."""

    code = "offline"


class ConfigError(SlimvoiceError):
    """A setting, catalog or key file is wrong."""

    code = "config_error"


def unwritable_volume(home: object, error: OSError) -> ConfigError:
    """Return the error for a volume (SLIMVOICE_HOME) that cannot be written."""
    return ConfigError(
        f"cannot write to {home}: {error.strerror or error}",
        hint="point SLIMVOICE_HOME to a folder that this user may write to, or chown the volume",
    )


def pull_hint(model: str) -> str:
    """Return what to do about a model that does not load: its files may be damaged."""
    return f"slimvoice pull {model} checks its files, and brings damaged ones again"
