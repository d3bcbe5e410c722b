"""The settings of a whisper model in the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import msgspec

from slimvoice.errors import ModelLoad


class WhisperSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Defaults of one model."""

    beam_size: Annotated[int, msgspec.Meta(ge=1, le=8)] = 1
    """Beams, up to 8; 1: greedy."""
    best_of: Annotated[int, msgspec.Meta(ge=1, le=8)] = 5
    """Candidates at each fallback temperature, up to 8."""
    short_context: bool = True
    """Encode no more than the audio needs, if that costs no words; False: 30 seconds each time, as whisper.cpp does."""
    quantize: bool = True
    """On a processor, hold 16-bit weights as q8_0: half the memory, a faster decoder, all but the same words."""
    window_s: Annotated[float, msgspec.Meta(ge=5, le=30)] = 30
    """Longest window: a shorter one gives way to other jobs sooner, and costs about the same per second of audio."""
    carried_tokens: Annotated[int, msgspec.Meta(ge=0, le=200)] = 48
    """How much of what was said each window is told; 0: nothing."""

    @classmethod
    def from_model(cls, settings: Mapping[str, Any]) -> Self:
        """Read a model's settings; raises ModelLoad for one that whisper does not have."""
        try:
            return msgspec.convert(dict(settings), cls)
        except msgspec.ValidationError as error:
            raise ModelLoad(f"wrong setting for whisper.cpp: {error}", hint="see models.yaml") from error
