"""The topics and the rules by which a publisher is refused."""

import pytest

from orchestrator.local.process.loopback import free_port, url_of
from orchestrator.local.pubsub.pubsub import LARGEST, MOST_MESSAGES, Code, Draft, Pubsub, Refused
from orchestrator.local.pubsub.push import Subscription
from orchestrator.local.pubsub.push_topic import PushTopic

ALERTS = "projects/laptop/topics/alerts"


def refused(code: Code, call: object, *arguments: object) -> str:
    """Assert that a call is refused with this code; give the sentence."""
    assert callable(call)
    with pytest.raises(Refused) as caught:
        call(*arguments)
    assert caught.value.code is code
    return caught.value.message


def test_a_topic_is_made_found_listed_and_deleted() -> None:
    with Pubsub([PushTopic("alerts")]) as pubsub:
        made = pubsub.create("projects/other/topics/alerts")
        assert pubsub.get("projects/other/topics/alerts") is made
        pubsub.create("projects/laptop/topics/control")
        assert pubsub.paths("projects/laptop") == (ALERTS, "projects/laptop/topics/control")
        pubsub.delete(ALERTS)
        assert pubsub.paths("projects/laptop") == ("projects/laptop/topics/control",)


def test_a_topic_that_is_not_there_is_not_found() -> None:
    """Also one that was deleted, by whatever is asked of it."""
    pubsub = Pubsub([PushTopic("alerts")])
    pubsub.delete(ALERTS)
    for call in (pubsub.get, pubsub.delete):
        assert "alerts" in refused(Code.NOT_FOUND, call, ALERTS)
    refused(Code.NOT_FOUND, pubsub.publish, ALERTS, [Draft(b"x")])


def test_what_a_deleted_topic_has_taken_is_still_kept_for_who_holds_it() -> None:
    topic = PushTopic("alerts")
    pubsub = Pubsub([topic])
    pubsub.publish(ALERTS, [Draft(b"x")])
    pubsub.delete(ALERTS)
    assert [message.data for message in topic.messages] == [b"x"]
    assert pubsub.create(ALERTS).messages == ()


def test_a_topic_is_not_made_twice() -> None:
    refused(Code.ALREADY_EXISTS, Pubsub([PushTopic("alerts")]).create, ALERTS)


@pytest.mark.parametrize(
    "path",
    [
        *("", "alerts", "projects/laptop/topics/", "topics/alerts", "projects//topics/alerts"),
        *(f"projects/laptop/topics/{name}" for name in ("ab", "1abc", "a bc", "a/bc", "google")),
        *("projects/laptop/topics/alerts\n", f"projects/laptop/topics/{'a' * 256}"),
    ],
)
def test_a_bad_name_is_an_invalid_argument(path: str) -> None:
    """Names are checked before topics are looked up, as by Google's emulator."""
    pubsub = Pubsub()
    for call in (pubsub.create, pubsub.get, pubsub.delete):
        refused(Code.INVALID_ARGUMENT, call, path)
    refused(Code.INVALID_ARGUMENT, pubsub.publish, path, [Draft(b"x")])


@pytest.mark.parametrize("name", ["abc", "a" * 255, "A-_.~+%9"])
def test_a_good_name_is_taken(name: str) -> None:
    with Pubsub() as pubsub:
        assert pubsub.create(f"projects/laptop/topics/{name}").messages == ()


def test_what_is_published_is_kept_in_order_with_new_ids() -> None:
    topic = PushTopic("alerts")
    ids = Pubsub([topic]).publish(
        ALERTS,
        [Draft(b"x", {"a": "b"}), Draft(b"y", ordering_key="k"), Draft(attributes={"c": ""})],
    )
    assert ids == tuple(message.message_id for message in topic.messages)
    assert len(set(ids)) == 3
    assert [(m.data, m.attributes, m.ordering_key) for m in topic.messages] == [
        (b"x", {"a": "b"}, ""),
        (b"y", {}, "k"),
        (b"", {"c": ""}, ""),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        [],
        [Draft(b"x")] * (MOST_MESSAGES + 1),
        [Draft()],
        [Draft(bytes(LARGEST + 1))],
        [Draft(bytes(LARGEST // 2)), Draft(bytes(LARGEST // 2 + 1))],
        [Draft(b"x", {"": "v"})],
        [Draft(b"x", {"k" * 257: "v"})],
        [Draft(b"x", {"k": "v" * 1025})],
        [Draft(b"x", {str(number): "v" for number in range(101)})],
    ],
    ids=[
        "none",
        "many",
        "empty",
        "large",
        "large together",
        "no key",
        "key",
        "value",
        "attributes",
    ],
)
def test_one_bad_message_refuses_the_whole_request(bad: list[Draft]) -> None:
    """Nothing of it is published: the publisher tries the whole request again."""
    topic = PushTopic("alerts")
    good = [Draft(b"x")] if bad else []
    refused(Code.INVALID_ARGUMENT, Pubsub([topic]).publish, ALERTS, good + bad)
    assert topic.messages == ()


def test_the_largest_of_everything_is_taken() -> None:
    attributes = {"k" * 253 + f"{number:03}": "v" * 1024 for number in range(100)}
    topic = PushTopic("alerts")
    pubsub = Pubsub([topic])
    pubsub.publish(ALERTS, [Draft(bytes(LARGEST), attributes)])
    pubsub.publish(ALERTS, [Draft(b"x")] * MOST_MESSAGES)
    assert len(topic.messages) == MOST_MESSAGES + 1


def test_closing_gives_up_deliveries_of_all_topics_deleted_ones_too() -> None:
    nobody = Subscription("f", url_of(free_port()), min_backoff=30, max_backoff=30)
    topic = PushTopic("alerts", nobody)
    with Pubsub([topic]) as pubsub:
        (future,) = topic.publish(b"x")
        pubsub.delete(ALERTS)
    assert not future.result(0).acknowledged
