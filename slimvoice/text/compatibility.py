"""Write letters and figures of compatibility (ligatures, full width, styled, enclosed) as plain ones. Pure.

Unicode's NFKC (https://www.unicode.org/reports/tr15/) does it, but takes too much where a sign means something:
powers would become figures (m² m2), fractions would join the figure before them (2½ 21/2), and the full width marks
of Chinese and Japanese, which end a clause without a space, would become marks that need one.
"""
# ruff: noqa: RUF001 - the marks of many scripts are the matter here

from __future__ import annotations

import re
import unicodedata

_KEPT = "′″‴¹²³⁰ⁱ⁴-⁹⁺⁻½¼¾ªº™℠№，！？；：｡、．´¨¯¸˘-˝…\u0e33\u0eb3"
_COMPATIBLE = re.compile(f"[^{_KEPT}\x00-\x7f]+")
_FRACTION = re.compile("(\\d?)([¼-¾⅐-⅞])")
_ENCLOSED_FIGURE = re.compile("[①-⓿❶-➓㉈-㉏㉑-㉟㊱-㊿]")
_SQUARED_UNITS = str.maketrans({
    "㎟": "mm²", "㎠": "cm²", "㎡": "m²", "㎢": "km²", "㎣": "mm³", "㎤": "cm³", "㎥": "m³", "㎦": "km³", "㎨": "m/s²",
    "㎧": "m/s",
})  # fmt: skip
_SPACE_BETWEEN_FIGURES = re.compile("(?<=\\d)[\u00a0\u2007\u2009\u202f](?=\\d{3}(?!\\d))")
_WIDE_BETWEEN_FIGURES = re.compile("(?<=\\d)[．：](?=\\d)")
_NARROW = str.maketrans("．：", ".:")
_SMALL_CAPITAL = re.compile("[ɢɪɴʀʏʙʜʟᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜰꜱ]{2,}")

GROUP = "\u202f"
"""What parts thousands: a narrow space that does not break, as in 10\u202f000, however it was written."""


def _letters(match: re.Match[str]) -> str:
    return "".join(unicodedata.name(letter).rpartition(" ")[2] for letter in match[0])


def compatible(text: str) -> str:
    """Return `text` in NFKC, but for powers, fractions and marks with a meaning of their own."""
    text = _SMALL_CAPITAL.sub(_letters, unicodedata.normalize("NFC", text)).translate(_SQUARED_UNITS)
    text = _FRACTION.sub(
        lambda match: f"{match[1]}{' ' if match[1] else ''}" + unicodedata.normalize("NFKC", match[2]), text
    )
    text = _ENCLOSED_FIGURE.sub(lambda match: f" {unicodedata.normalize('NFKC', match[0])} ", text)
    groups = _SPACE_BETWEEN_FIGURES.split(text)
    text = GROUP.join(_COMPATIBLE.sub(lambda match: unicodedata.normalize("NFKC", match[0]), part) for part in groups)
    return _WIDE_BETWEEN_FIGURES.sub(lambda match: match[0].translate(_NARROW), text).replace("⁄", "/")
