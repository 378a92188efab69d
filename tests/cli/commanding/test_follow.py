"""A command is followed to its own end; what cannot be seen is unknown, and no plain failure."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from orchestrator.cli.commanding.order import Manner
from orchestrator.core.exceptions import Cloud, Kind, Unavailable
from tests.support.seat import Seat

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
SHOWN, DIRECT = Manner(False, False, True), Manner(True, True, True)

Told = pytest.CaptureFixture[str]


def words(text: str) -> str:
    """The text without its line breaks."""
    return " ".join(text.split())


# --- what cannot be seen -------------------------------------------------------------------------


def test_what_could_not_be_followed_is_not_published() -> None:
    seat = Seat()
    seat.lose_sight()
    with pytest.raises(Unavailable, match=r"nothing was published.*ConnectionError.*--no-wait"):
        seat.command("failover", region=WEST)
    assert not seat.wire.published


def test_a_command_on_a_corrupt_document_names_what_repairs_it() -> None:
    seat = Seat()
    seat.lab.objects.put("checkout.json", b"{", 0)
    with pytest.raises(Unavailable, match=r"no command works until.*") as told:
        seat.command("failover", region=WEST)
    assert "`failoverctl state restore checkout --apply`" in str(told.value)
    assert "--no-wait" not in str(told.value)
    assert not seat.wire.published


def test_without_waiting_it_is_published_unseen_and_says_how_to_follow_it(capsys: Told) -> None:
    seat = Seat()
    seat.lose_sight()
    assert seat.command("failover", Manner(True, False, False), region=WEST, now=True)
    (message,) = seat.wire.events
    assert f"failoverctl explain checkout {message['id']}" in capsys.readouterr().out
    assert seat.lab.state.primary == WEST


def test_a_command_whose_outcome_cannot_be_seen_is_unknown_and_names_its_id(capsys: Told) -> None:
    seat = Seat()
    seat.lab.tick()
    seat.wire.afterwards = [seat.lose_sight]
    assert not seat.command("failover", region=WEST, now=True)
    told = words(capsys.readouterr().err)
    (message,) = seat.wire.events
    assert f"command {message['id']} was given and may be carried out" in told
    assert "Do not repeat it blindly" in told
    assert "ConnectionError" in told
    assert seat.lab.state.primary == WEST
    assert sum(seat.rests) > 60  # it was looked for again and again


def test_a_look_that_fails_for_a_moment_is_no_failure(capsys: Told) -> None:
    seat = Seat()
    seat.lab.tick()
    seat.wire.afterwards = [seat.lose_sight]
    seat.meanwhile = [lambda: None, seat.see_again]
    assert seat.command("failover", region=WEST, now=True)
    captured = capsys.readouterr()
    assert "It MOVED" in captured.out
    assert captured.err.count("cannot be read for now") == 1


def test_a_publication_that_may_have_happened_is_told_as_such() -> None:
    seat = Seat()
    seat.wire.error = Unavailable("topics/failover-control: DeadlineExceeded: 504")
    with pytest.raises(
        Unavailable, match=r"504\. It is not known whether command told-\d+ was published"
    ):
        seat.command("ack")
    seat.wire.error = Unavailable("topics/lost: NotFound: 404. Create the topic", page=True)
    with pytest.raises(Unavailable, match=r"Create the topic$"):
        seat.command("ack")


def test_nobody_listening_is_told_with_what_it_may_be(capsys: Told) -> None:
    seat = Seat()
    seat.wire.listens = False
    assert not seat.command("failover", region=WEST)
    told = words(capsys.readouterr().err)
    assert "nobody has carried out command" in told
    assert "look for `poison` in the functions' log" in told


def test_a_tick_that_cannot_be_asked_for_ends_no_waiting(capsys: Told) -> None:
    seat = Seat()

    def lose_the_topic() -> None:
        seat.wire.error = Unavailable("503")

    def find_it() -> None:
        seat.wire.error = None

    seat.meanwhile = [lose_the_topic, *[lambda: None] * 30, find_it]
    assert seat.command("failover", region=WEST)
    captured = capsys.readouterr()
    assert "no tick could be asked for: 503" in captured.err
    assert "It MOVED the traffic from us-east-1 to us-west-2" in captured.out


def test_a_direct_command_that_is_recorded_and_not_finished_says_not_to_repeat_it(
    capsys: Told,
) -> None:
    seat = Seat()
    seat.lab.tick()
    lost = Unavailable("Compute API: 503")

    def fail() -> None:
        seat.lab.traffic.before_patch.append(fail)
        raise lost

    seat.lab.traffic.before_patch.append(fail)
    assert not seat.command("failover", DIRECT, region=WEST, now=True)
    told = words(capsys.readouterr().err)
    assert "is recorded and was not finished here: Compute API: 503" in told
    assert seat.lab.state.primary == WEST


# --- what ends a switch --------------------------------------------------------------------------

ENDINGS: dict[str, tuple[Callable[[Seat], object], str]] = {
    "a freeze": (
        lambda seat: seat.lab.freeze(),
        "(freeze by alice (as claimed): a drill); the traffic stays with us-east-1",
    ),
    "another target": (
        lambda seat: seat.lab.command("failover", EUROPE, now=True),
        "by alice (as claimed): a drill); the document now wants eu-west-1 to carry it",
    ),
    "another switch": (
        lambda seat: seat.lab.command("failover", EUROPE),
        "(failover eu-west-1 by alice (as claimed): a drill); the traffic stays with us-east-1",
    ),
    "the present primary": (
        lambda seat: seat.lab.command("failover", EAST),
        "(failover us-east-1 by alice (as claimed): a drill); the traffic stays with us-east-1",
    ),
    "a necessary move": (
        lambda seat: seat.dies(EAST, WEST),
        "by the decision on `alert 0.dead open us-east-1`; the document now wants eu-west-1",
    ),
}


@pytest.mark.parametrize("what", ENDINGS)
@pytest.mark.parametrize("manner", [None, DIRECT], ids=["published", "direct"])
def test_whoever_waits_for_a_switch_is_told_what_ended_it(
    what: str, manner: Manner | None, capsys: Told
) -> None:
    seat = Seat()
    act, told = ENDINGS[what]
    seat.meanwhile = [lambda: None, lambda: act(seat)]
    assert not seat.command("failover", manner, region=WEST)
    captured = words(capsys.readouterr().err)
    assert "the switch to us-west-2 of your command told-0 was ended by" in captured
    assert told in captured


def test_whoever_waits_for_a_switch_that_another_hastens_has_what_they_wanted(capsys: Told) -> None:
    seat = Seat()
    seat.meanwhile = [lambda: None, lambda: seat.lab.command("failover", WEST, now=True)]
    assert seat.command("failover", region=WEST)
    assert "It MOVED the traffic from us-east-1 to us-west-2" in capsys.readouterr().out


def test_a_later_move_is_not_taken_for_the_end_of_a_switch_that_was_given_up(capsys: Told) -> None:
    seat = Seat()

    def give_up_and_move() -> None:
        seat.lab.down(WEST)
        seat.lab.tick()
        seat.lab.command("failover", EUROPE, now=True)

    seat.meanwhile = [lambda: None, give_up_and_move]
    assert not seat.command("failover", region=WEST)
    told = capsys.readouterr().out
    assert "It GAVE UP what was under way. The traffic is with us-east-1." in told
    assert "To do, switch: Nothing has moved." in told
    assert "ended switch [us-west-2]: the switch to us-west-2, asked for by command" in told


def test_an_ended_switch_is_an_error_in_json(capsys: Told) -> None:
    seat = Seat(as_json=True)
    seat.meanwhile = [lambda: None, seat.lab.freeze]
    assert not seat.command("failover", region=WEST)
    (view,) = json.loads(capsys.readouterr().out)["services"]
    assert view["error"]["kind"] == "SwitchEnded"


def test_the_preview_of_a_command_that_ends_a_switch_says_so(capsys: Told) -> None:
    seat = Seat()
    seat.lab.command("failover", WEST, id="c-running")
    assert seat.command("failover", SHOWN, region=EUROPE)
    told = capsys.readouterr().out
    ended = "this decision ends the switch to us-west-2, asked for by command c-r"
    assert f"ended switch [us-west-2]: {ended}" in told
    assert seat.lab.state.switch is not None


# --- what is shown -------------------------------------------------------------------------------


def test_a_switch_is_shown_with_when_it_moves_and_when_it_is_given_up(capsys: Told) -> None:
    seat = Seat()
    assert seat.command("failover", SHOWN, region=WEST)
    told = capsys.readouterr().out
    assert "soon after 05:00:45 UTC. If it cannot move before 05:04:55 UTC" in told
    assert "Until the switch ends, us-east-1 carries traffic (epoch 0)" in told
    assert seat.command("failover", region=WEST)
    assert "fencing: us-east-1 takes no writes. The traffic moves" in capsys.readouterr().err


def test_a_load_balancer_that_cannot_be_read_is_shown_with_what_to_do(
    capsys: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPUTE_EMULATOR_HOST", "http://dead")
    seat = Seat()
    seat.lab.tick()

    def fail() -> None:
        seat.lab.traffic.before_read.append(fail)
        raise Unavailable(
            "Compute API, checkout: ConnectionError: refused",
            kind=Kind.UNREACHABLE,
            cloud=Cloud.COMPUTE,
        )

    seat.lab.traffic.before_read.append(fail)
    assert not seat.command("failover", SHOWN, region=WEST)
    captured = capsys.readouterr()
    assert "checkout: the command could not be carried out now" in captured.out
    assert "It could not shift: Compute API, checkout: ConnectionError" in captured.out
    assert "carries traffic" not in captured.out
    assert "Nothing answers at COMPUTE_EMULATOR_HOST=http://dead" in captured.err
    assert seat.command("ack", SHOWN)


def test_without_document_and_load_balancer_the_advice_is_about_the_load_balancer(
    capsys: Told,
) -> None:
    seat = Seat()

    def fail() -> None:
        seat.lab.traffic.before_read.append(fail)
        raise Unavailable("Compute API, checkout: ConnectionError: refused")

    seat.lab.traffic.before_read.append(fail)
    assert not seat.command("failover", SHOWN, region=WEST)
    assert "Compute API, checkout: ConnectionError" in capsys.readouterr().err


def test_a_recovering_target_says_to_wait_for_its_probes_or_to_override(capsys: Told) -> None:
    seat = Seat()
    seat.lab.tick()
    seat.lab.down(EAST)
    seat.lab.handle(seat.lab.opened(EAST))
    seat.lab.down()
    seat.lab.handle(seat.lab.closed(EAST))
    assert not seat.command("failback", SHOWN)
    told = capsys.readouterr().out
    assert "status recovering, probe: 200 (0 of 3 healthy probes counted)" in told
    assert "To do, target_healthy: us-east-1 answers well and has not proven healthy yet" in told


def test_an_override_that_a_switch_would_not_heed_says_to_add_now(capsys: Told) -> None:
    seat = Seat()
    seat.lab.down(WEST)
    seat.lab.handle(seat.lab.opened(WEST))
    assert not seat.command("failover", region=WEST, override="target_healthy")
    told = capsys.readouterr().out
    assert "--override needs --now" in told
    assert "Add `--now` to move there at once" in told
    assert seat.lab.state.switch is None
