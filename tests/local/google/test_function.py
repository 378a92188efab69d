"""The function under functions-framework: started, stopped, frozen, killed, restarted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.local.google.function import Function
from orchestrator.local.process.wait import wait_until
from orchestrator.local.pubsub.push import Delivery, Form, Subscription
from orchestrator.local.pubsub.push_topic import PushTopic

pytestmark = pytest.mark.world

SOURCE = """
import json, os, sys
import functions_framework

@functions_framework.cloud_event
def on_alert(event):
    message = event.data["message"]
    entry = {"severity": "INFO", "id": message["messageId"], "who": os.environ["WHO"]}
    sys.stdout.write(json.dumps(entry) + "\\n")  # in one write: two calls may run at once
    sys.stdout.write("plain\\n")
"""


@pytest.fixture
def function(tmp_path: Path) -> Iterator[Function]:
    """A running function that logs what it gets."""
    source = tmp_path / "main.py"
    source.write_text(SOURCE)
    found = Function("function-0", source, tmp_path, {"WHO": "me"})
    found.start()
    yield found
    found.stop()


def push(function: Function, form: Form = Form.PUSH, *, patience: float = 30.0) -> Delivery:
    """Deliver one message to a function, once."""
    subscription = Subscription(
        "function-0", function.url, form, ack_deadline=patience, max_attempts=1
    )
    with PushTopic("alerts", subscription) as topic:
        return topic.publish({"incident": {}})[0].result(60)


@pytest.mark.parametrize("form", list(Form))
def test_it_takes_messages_in_both_forms(function: Function, form: Form) -> None:
    """A pushed message reaches the function as an event, and its log is read by lines."""
    delivery = push(function, form)
    assert delivery.acknowledged
    assert function.log_lines()[-2:] == [
        {"severity": "INFO", "id": delivery.message_id, "who": "me"},
        {"message": "plain"},
    ]


def test_kill_and_start_again(function: Function) -> None:
    """A killed function refuses; started again it takes the redelivery on the same URL."""
    function.kill()
    assert not function.running
    (attempt,) = push(function).attempts
    assert attempt.error in {"ConnectionRefusedError", "ClientOSError"}  # by a kept connection
    function.start()
    assert push(function).acknowledged


def test_a_stopped_function_answers_when_it_is_continued(function: Function) -> None:
    """A stopped function takes the connection and answers nothing, until it goes on."""
    function.stop_signal()
    (attempt,) = push(function, patience=1.0).attempts
    assert attempt.error == "timeout"
    function.cont_signal()
    assert push(function).acknowledged
    wait_until(lambda: len(function.log_lines()) >= 4, 30, "the frozen call to be made too")


def test_a_broken_source_is_reported(tmp_path: Path) -> None:
    """A function that cannot be loaded is reported with what Python says about it."""
    source = tmp_path / "main.py"
    source.write_text("raise RuntimeError('wrong at import')")
    function = Function("broken", source, tmp_path)
    with pytest.raises(RuntimeError, match="wrong at import"):
        function.start()
    function.stop()
