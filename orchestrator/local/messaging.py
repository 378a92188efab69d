"""The topics of a laptop world, and the Pub/Sub that serves them: ours, or Google's emulator.

    alerts    pushed to the alert functions
    control   pushed to the control functions
    events    pushed to nobody: what the orchestrator announces is kept to be read
    dead      what was pushed in vain too often, where that is counted

What is addressed to one function alone is pushed to it from here in either case, for Pub/Sub knows
no such thing. It must not know what a message says.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

from orchestrator.local.blueprint import TOPICS
from orchestrator.local.process.loopback import HOST
from orchestrator.local.pubsub.dead_letters import DeadLetterPolicy
from orchestrator.local.pubsub.google_emulator import GoogleEmulator
from orchestrator.local.pubsub.pubsub import Pubsub
from orchestrator.local.pubsub.pubsub_server import PubsubServer
from orchestrator.local.pubsub.push import Delivery, Form, PushedMessage, Subscription
from orchestrator.local.pubsub.push_topic import PushTopic

DEAD_LETTERS = "failover-dead-letters"


class Messaging:
    """The topics and who serves them, made with who is pushed `alerts` and `control` messages.

    `port` is for gRPC; with `emulator`, which then has that port, Google's takes the place of ours;
    with `dead_letter_after`, a message is dead after so many attempts (5 to 100).
    """

    def __init__(
        self,
        port: int,
        alerts: Sequence[Subscription],
        control: Sequence[Subscription],
        *,
        emulator: GoogleEmulator | None = None,
        dead_letter_after: int | None = None,
    ) -> None:
        self.host = f"{HOST}:{port}"
        self.dead_letters = PushTopic(DEAD_LETTERS)
        policy = None
        if dead_letter_after is not None:
            policy = DeadLetterPolicy(self.dead_letters, dead_letter_after)
        self.alerts = PushTopic(TOPICS["alerts"], *_counted(alerts, policy))
        self.control = PushTopic(TOPICS["control"], *_counted(control, policy))
        self.events = PushTopic(TOPICS["events"])
        # closed in the reverse order: the courier of another topic may just forward a dead letter
        self.pubsub = Pubsub((self.dead_letters, self.events, self.control, self.alerts))
        self.server = PubsubServer(self.pubsub, port)
        self.emulator = emulator

    def start(self) -> None:
        """Serve the topics."""
        if self.emulator is None:
            self.server.start()
        else:
            self.emulator.start()
            self._lay_out(self.emulator)

    def stop(self) -> None:
        """Serve them no longer and give up what is on its way. Idempotent."""
        if self.emulator is not None:
            self.emulator.stop()
        self.server.stop()
        self.pubsub.close()

    def publish(self, body: object, message_id: str | None) -> tuple[Future[Delivery], ...]:
        """Publish an alert; Google's emulator does not tell how delivery goes: no futures then."""
        if self.emulator is None:
            return self.alerts.publish(body, message_id)
        if message_id is not None:
            raise ValueError("the id of a message is given by Google's emulator")
        self.emulator.publish(self.alerts.path, self.alerts.message(body).data)
        return ()

    def published_events(self) -> tuple[PushedMessage, ...]:
        """What was published to the events topic so far."""
        if self.emulator is None:
            return self.events.messages
        return self.emulator.messages(self.events.path)

    def _lay_out(self, emulator: GoogleEmulator) -> None:
        for topic in (self.alerts, self.control, self.events):
            emulator.create(topic.path, topic.subscriptions)


def check_emulator_can(form: Form, dead_letter_after: int | None) -> None:
    """Raise ValueError if Google's emulator cannot do what a world is asked for."""
    if form is not Form.PUSH:
        raise ValueError(f"Google's emulator pushes in the form {Form.PUSH}, not {form}")
    if dead_letter_after is not None:
        raise ValueError("Google's emulator forwards no dead letters")


def _counted(
    subscriptions: Sequence[Subscription], policy: DeadLetterPolicy | None
) -> tuple[Subscription, ...]:
    return tuple(replace(each, dead_letters=policy) for each in subscriptions)
