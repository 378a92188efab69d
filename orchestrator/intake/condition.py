"""Which uptime check a condition is about: what its filter or query says of `check_id`.

Reads what Monitoring's filters, MQL and PromQL have in common: terms joined by AND and OR, negated
by NOT, `-` or `!`, in parentheses and braces. An incident is of one check for certain only if every
way to fulfil the condition names that one. Several checks, a negated term, a pattern, and a term
that an OR makes optional are no certainty. Pure; takes time in proportion to the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

LONGEST = 20_000
"""Characters of a filter that is read; Monitoring takes far fewer."""

_TEXT = r"""(?:"(?:[^"\\]|\\.)*(?:"|\\?\Z)|'(?:[^'\\]|\\.)*(?:'|\\?\Z))"""
"""A text in quotes; one that is never closed goes to the end, so that it is read once."""

_TOKEN = re.compile(
    rf"""
    (?P<term>-?(?:[\w./:]*[./])?(?:"check_id"|'check_id'|\bcheck_id)\s*(?P<op>=~|==|!=|!~|<=|>=|=|:|<|>)\s*
        (?:(?P<call>[\w.]*)\s*\((?P<args>(?:{_TEXT}|[^()"'])*)\)|(?P<value>{_TEXT}|[\w.-]+))?)
    | (?P<text>{_TEXT})
    | (?P<open>[({{\[])
    | (?P<close>[)}}\]])
    | (?P<all>&&|\band\b|[,|](?!\|))
    | (?P<any>\|\||\bor\b)
    | (?P<unless>\bunless\b)
    | (?P<no>\bnot\b|!(?![=~])|-(?=\s*\())
    | (?P<other>[\w./:]+|\S)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_STARTS = frozenset({"", "open", "all", "any", "no", "text"})
"""After these a `-` excludes what follows; after anything else it subtracts."""

_EXACT_CALLS = frozenset({"", "one_of", "monitoring.regex.full_match", "re.full_match"})
_LITERAL = re.compile(r"[a-z0-9_-]+")
_FILTERS_OR = "OR"
"""In Monitoring's filters, where it is in capitals, it binds closer than AND; elsewhere looser."""


@dataclass(frozen=True, slots=True)
class NamedChecks:
    """What a condition says of uptime checks, in lower case.

    sure: the one that its incident is of, empty where that is not certain. named: every one that it
    names and does not exclude.
    """

    sure: str = ""
    named: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a part of a condition says. speaks: of checks at all."""

    speaks: bool = False
    sure: str = ""
    named: frozenset[str] = frozenset()


_SILENT = _Claim()
_EXCLUDES = _Claim(speaks=True)


@dataclass(slots=True)
class _Part:
    """A part in parentheses, as it is read: terms, and the words between them."""

    negated: bool = False
    items: list[_Claim | str] = field(default_factory=list)
    negates: bool = False  # the next term
    excludes: bool = False  # every term from here on

    def take(self, claim: _Claim) -> None:
        """Add a term."""
        negated = claim.speaks and (self.negates or self.excludes)
        self.items.append(_EXCLUDES if negated else claim)
        self.negates = False

    def joined(self) -> _Claim:
        """What the whole part says."""
        tight = _FILTERS_OR in self.items
        chunks = _split(self.items, "all" if tight else "any")
        if tight:
            return _both(
                _either(_both(_claims(way)) for way in _split(one, _FILTERS_OR)) for one in chunks
            )
        return _either(_both(_claims(one)) for one in chunks)


def checks_of(texts: Iterable[str]) -> NamedChecks:
    """What the filters and queries of one condition say together."""
    claim = _both(map(_read, texts))
    return NamedChecks(claim.sure, claim.named)


def _read(text: str) -> _Claim:
    if "check_id" not in text:
        return _SILENT
    if len(text) > LONGEST:
        return _EXCLUDES
    parts, before = [_Part()], ""
    for token in _TOKEN.finditer(text):
        kind = str(token.lastgroup)
        _step(parts, kind, token, before)
        before = kind
    while len(parts) > 1:
        _close(parts)
    return parts[0].joined()


def _step(parts: list[_Part], kind: str, token: re.Match[str], before: str) -> None:
    part = parts[-1]
    match kind:
        case "open":
            parts.append(_Part(negated=part.negates or part.excludes))
        case "close" if len(parts) > 1:
            _close(parts)
        case "all" | "any":
            spelt = token.group() if token.group() == _FILTERS_OR else kind
            part.items.append(spelt)
        case "unless":
            part.excludes = True
        case "no":
            subtracts = token.group() == "-" and before not in _STARTS
            part.negates ^= not subtracts
        case _:
            part.take(_term(token) if kind == "term" else _SILENT)


def _close(parts: list[_Part]) -> None:
    closed = parts.pop()
    claim = closed.joined()
    parts[-1].negates = False
    parts[-1].take(_EXCLUDES if closed.negated and claim.speaks else claim)


def _term(term: re.Match[str]) -> _Claim:
    """What one comparison of the check id says."""
    if term["op"] in {"!=", "!~"} or term.group().startswith("-"):
        return _EXCLUDES
    values = _values(term["args"] or term["value"] or "")
    is_exact = term["op"] in {"=", "==", "=~"} and (term["call"] or "").lower() in _EXACT_CALLS
    sure = next(iter(values)) if is_exact and len(values) == 1 else ""
    return _Claim(True, sure if _LITERAL.fullmatch(sure) else "", frozenset(values))


def _values(compared: str) -> set[str]:
    """The check ids that one is compared with; each side of a pattern's `|` is one."""
    given = re.findall(rf"{_TEXT}|[\w.-]+", compared)
    return {one.strip("^$() ").lower() for text in given for one in text.strip("\"'").split("|")}


def _both(claims: Iterable[_Claim]) -> _Claim:
    """Of parts that all hold: one may name the check, and no other may differ."""
    said = [claim for claim in claims if claim.speaks]
    checks = {claim.sure for claim in said}
    sure = checks.pop() if len(checks) == 1 else ""
    return _Claim(bool(said), sure, frozenset[str]().union(*(claim.named for claim in said)))


def _either(claims: Iterable[_Claim]) -> _Claim:
    """Of parts one of which holds: each must name the check."""
    all_of_them = list(claims)
    together = _both(all_of_them)
    certain = all(claim.speaks for claim in all_of_them)
    return together if certain else _Claim(together.speaks, "", together.named)


def _split(items: list[_Claim | str], word: str) -> list[list[_Claim | str]]:
    """The items between these words."""
    chunks: list[list[_Claim | str]] = [[]]
    for item in items:
        if item == word:
            chunks.append([])
        else:
            chunks[-1].append(item)
    return chunks


def _claims(items: list[_Claim | str]) -> list[_Claim]:
    return [item for item in items if isinstance(item, _Claim)]
