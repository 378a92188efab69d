"""Flask-Session keeps its sessions in a routed table."""

from __future__ import annotations

import pytest
from flask import Flask, session
from flask_session import Session

from tests.libraries.places import Places
from tests.support.regional import EAST, WEST

pytestmark = [
    pytest.mark.world,
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning:flask_session"),
]
TABLE = "sessions"


def _application(resource: object, table: str = TABLE) -> Flask:
    """It counts the visits of each browser, in its session."""
    app = Flask("visits")
    app.config.update(
        SESSION_TYPE="dynamodb", SESSION_DYNAMODB=resource, SESSION_DYNAMODB_TABLE=table
    )
    Session(app)

    @app.get("/")
    def visit() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    @app.get("/leave")
    def leave() -> str:
        session.clear()
        return "left"

    return app


def test_a_session_goes_on_in_the_new_region(places: Places) -> None:
    places.table(TABLE, "id")
    browser = _application(places.db.resource).test_client()
    assert [browser.get("/").text for _ in range(2)] == ["1", "2"]
    places.fail_over()
    assert [browser.get("/").text for _ in range(2)] == ["3", "4"]
    [kept] = places.items(WEST, TABLE)
    stranger = _application(places.db.in_region(WEST)).test_client()
    cookie = browser.get_cookie("session")
    assert cookie is not None
    stranger.set_cookie("session", cookie.value)
    assert stranger.get("/").text == "5", "boto3 itself finds it in the west"
    browser.get("/leave")
    assert not places.items(WEST, TABLE)
    places.mend()
    [left] = places.items(EAST, TABLE)
    assert left["id"] == kept["id"]
    assert left["val"] != kept["val"], "the east kept what was there when the traffic moved"


def test_it_makes_its_table_where_writes_go_and_takes_one_that_is_there(places: Places) -> None:
    """The second start is the one that met `exceptions.ResourceInUseException`."""
    for _ in range(2):
        browser = _application(places.db.resource, "made").test_client()
        assert browser.get("/").text == "1"
    assert len(places.items(EAST, "made")) == 2
    west = places.db.in_region(WEST)
    assert "made" not in [table.name for table in west.tables.all()]
    places.table_in(WEST, "made", "id")
    places.fail_over()
    browser = _application(places.db.resource, "made").test_client()
    assert browser.get("/").text == "1"
    assert len(places.items(WEST, "made")) == 3
