"""How an error is shown beside answers: one service's fault hides no other."""

from __future__ import annotations

from orchestrator.cli.session import Session, error_view
from orchestrator.cli.words.advice import advice_on
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Json


def error_of(error: FailoverError, session: Session) -> Json:
    """An error of one service among others, with what to do about it."""
    return error_view(error, advice_on(error, session.environ))


def show_error(session: Session, error: object) -> None:
    """The same for people, on stderr, below the service's name. error: as `error_of` has it."""
    assert isinstance(error, dict)
    session.note(f"  {error['message']}", "red")
    if error.get("advice"):
        session.note(f"  {error['advice']}", "")


def with_advice(view: Json, error: FailoverError | None, session: Session) -> Json:
    """The view of a preview, with what to do about the error that nothing could be shifted for."""
    return {**view, "advice": advice_on(error, session.environ)} if error else view


def show_obstacle(session: Session, view: Json) -> None:
    """Why nothing could be shifted, and what to do about it. view: of a preview, with advice."""
    session.say(f"  It could not shift: {view['obstacle']}", "red")
    if view.get("advice"):
        session.note(f"  {view['advice']}", "")
