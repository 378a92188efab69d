"""A batch in parts, one for each home: sent one after the other, and answered as one.

DynamoDB promises nothing of the requests of a batch together, so several answers make one. If a
part fails after another was written, the whole call is of unknown outcome and says which parts were
written. They are not handed back as unprocessed: boto3's `batch_writer` would send those again
without a pause and without an end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.client._keys.home import HomePart
from orchestrator.client._regions.outcome import FAILURES, words
from orchestrator.client.errors import Outcome, WriteUnknown

Answer = tuple[Any, str]

_SAME = {"AttributesToGet"}
"""Lists of `UnprocessedKeys` that hold for all keys of a table, and are the same in each part."""


def in_parts(
    operation: str, parts: Sequence[HomePart], send: Callable[[HomePart], Answer], *, writes: bool
) -> list[Answer]:
    """The answers of the parts, in their order. send: sends one.

    Raises what the first part that fails raises; WriteUnknown if another was written before it.
    """
    answers: list[Answer] = []
    for part in parts:
        try:
            answers.append(send(part))
        except Exception as error:
            if not answers or not writes:
                raise
            raise _partly(operation, parts, len(answers), error) from error
    return answers


def merged(answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One answer of several. Lists are put together, also those of each table."""
    whole: dict[str, Any] = {}
    for answer in answers:
        for name, value in answer.items():
            whole[name] = _together(whole[name], value) if name in whole else value
    return whole


def _together(ours: Any, theirs: Any) -> Any:
    match ours, theirs:
        case (list(), list()):
            return [*ours, *theirs]
        case (dict(), dict()):
            both = (ours.keys() & theirs.keys()) - _SAME
            return {
                **ours,
                **theirs,
                **{name: _together(ours[name], theirs[name]) for name in both},
            }
    return theirs


def _partly(
    operation: str, parts: Sequence[HomePart], written: int, error: Exception
) -> WriteUnknown:
    tried = getattr(error, "tried", None) or [(parts[written].home or "", _said(error))]
    hint = (
        f" The keys of this batch have several homes, and it was sent in parts. Written:"
        f" {_named(parts[:written])}. Failed: {_named(parts[written : written + 1])}."
    )
    if left := parts[written + 1 :]:
        hint += f" Not sent: {_named(left)}."
    hint += " Puts and deletes in a batch have no condition: if no other client writes these keys,"
    return WriteUnknown(
        operation, tried, Outcome.UNKNOWN, f"{hint} the whole batch may be repeated."
    )


def _said(error: Exception) -> str:
    return words(error) if isinstance(error, FAILURES) else type(error).__name__


def _named(parts: Sequence[HomePart]) -> str:
    return ", ".join(f"{sum(map(len, one.places.values()))} at home in {one.home}" for one in parts)
