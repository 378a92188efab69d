"""What no message repeats: passwords and tokens in URLs, and in what libraries say. PURE.

A URL that is not written as it should be can have its password in any of its parts, so a wrong one
is shown without all of them, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, quote, unquote, urlsplit

STARS = "***"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://")
_BEHIND = re.compile(r"[?#].*", re.DOTALL)

_TELLING = 6
"""So many first characters of a secret give it away: what quotes it may cut it short."""


def masked(text: str) -> str:
    """A text that may be a URL as it may be shown: without a password in front of its host, and
    without what stands behind `?` or `#`."""
    front, at, rest = text.rpartition("@")
    if not at:
        return _BEHIND.sub(_stars, text)
    scheme = _SCHEME.match(front)
    return f"{scheme[0] if scheme else ''}{STARS}@{_BEHIND.sub(_stars, rest)}"


def _stars(found: re.Match[str]) -> str:
    return f"{found[0][0]}{STARS}"


def split(url: str) -> SplitResult:
    """The URL's parts. Raises ValueError, not repeating it as the library does."""
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError("write a URL: what stands there is none") from None


def repeats(text: str, secrets: Iterable[str | None]) -> bool:
    """Whether the text holds one of these secrets, in a spelling that libraries use, or its
    beginning."""
    low = text.lower()
    return any(form in low for secret in secrets if secret for form in _forms(secret))


_BOTH = "'\""


def _forms(secret: str) -> set[str]:
    """The spellings of a secret's beginning, in lower case; bytes and URLs escape it."""
    plain = secret[:_TELLING]
    whole = unquote(secret)[:_TELLING]
    data = plain.encode("utf-8", "surrogatepass")
    found = {plain, whole, repr(plain)[1:-1], ascii(plain)[1:-1], repr(data)[2:-1]}
    # Where the whole has both kinds of quotes, Python escapes one kind in its beginning too.
    found |= {repr(plain + _BOTH)[1:-4], ascii(plain + _BOTH)[1:-4]}
    found.add(repr(data + _BOTH.encode())[2:-4])
    found.add(quote(plain, safe="", errors="replace"))
    return {form.lower() for form in found if form}
