"""The health endpoint as HTTP, whatever serves it: paths, methods and headers.

Each path answers for the region, and the path with `/primary` behind it for its role.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from orchestrator.client.health._check import Answer, Health, HealthCheck

PATHS = ("/healthz", "/health")
"""Cloud Run keeps `/healthz` for itself and answers it with 404: there `/health` is asked."""

PRIMARY = "/primary"
METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer. body: empty for HEAD; the headers are those of GET."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Endpoint:
    """The health endpoint of one check. paths: absolute, without a slash at their end.

    Raises ValueError for a path that is not so.
    """

    def __init__(self, check: HealthCheck, paths: Sequence[str] = PATHS) -> None:
        for path in (paths,) if isinstance(paths, str) else paths:
            if not path.startswith("/") or path.endswith("/") or isinstance(paths, str):
                raise ValueError(
                    f"paths: {path!r} must be in a sequence of paths, each of which begins with a"
                    f" slash and ends without one, as in {PATHS!r}"
                )
        self.check = check
        self.paths = tuple(paths)
        self._answers = {
            **dict.fromkeys(self.paths, check.answer),
            **{path + PRIMARY: check.answer_primary for path in self.paths},
        }

    @property
    def served(self) -> tuple[str, ...]:
        """Every path that it answers."""
        return tuple(self._answers)

    def serves(self, path: str) -> bool:
        """Whether the path is the endpoint's."""
        return path in self._answers

    def reply(self, method: str, path: str, health: Health | None = None) -> Reply:
        """What is answered. It may take as long as the check's timeout; with `health` it does not.

        health: a measurement that serves, the check's `recent`.
        """
        answer = self._answers.get(path)
        if answer is None:
            return _plain(HTTPStatus.NOT_FOUND)
        if method not in METHODS:
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED, ("Allow", ", ".join(METHODS)))
        return _reply(answer(health), head=method == "HEAD")


def _reply(answer: Answer, *, head: bool) -> Reply:
    headers = (
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(answer.body))),
        ("Cache-Control", "no-store"),
    )
    return Reply(answer.status, headers, b"" if head else answer.body)


def _plain(status: HTTPStatus, *more: tuple[str, str]) -> Reply:
    body = f"{status.phrase}\n".encode()
    headers = (("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *more)
    return Reply(status, headers, body)
