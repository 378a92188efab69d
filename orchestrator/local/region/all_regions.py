"""The regions of a world together: where they are, what copies between them, how they begin."""

from __future__ import annotations

import os
from collections.abc import Iterable

from orchestrator.local.blueprint import SERVICE, ModeName, Site
from orchestrator.local.dynamodb.replicator import Replicator
from orchestrator.local.google.function import Function
from orchestrator.local.pubsub.push_topic import PushTopic
from orchestrator.local.region.region import LocalRegion, ShopSettings

FIRST_TICK = 45
"""Seconds that the first tick may take, with which a world with data begins."""


def sites(regions: Iterable[LocalRegion]) -> tuple[Site, ...]:
    """What the documents of a world say of its regions."""
    return tuple(
        Site(r.name, r.address, r.health_url, r.database.url if r.database else "") for r in regions
    )


def shop_settings(state: str, mode: ModeName, gcs: str) -> ShopSettings:
    """What shops are told. state: the URL of the documents' folder. gcs: the emulator's, or ""."""
    emulator = {"STORAGE_EMULATOR_HOST": gcs} if gcs else {}
    return ShopSettings(f"{state}/{SERVICE}.json", mode, {**os.environ, **emulator})


def replicator(regions: Iterable[LocalRegion]) -> Replicator | None:
    """What copies between their databases, None if they have none."""
    databases = [region.database for region in regions if region.database]
    return Replicator(databases) if databases else None


def make_document(control: PushTopic, function: Function) -> None:
    """Have the first tick make the document, without which shops do not know where to write.

    Raises RuntimeError if it does not, with what the function said.
    """
    sent = control.send(control.message({"kind": "tick"}), control.subscriptions[0])
    try:
        made = sent.result(FIRST_TICK).acknowledged
    except TimeoutError:
        made = False
    if not made:
        said = "; ".join(str(line.get("message")) for line in function.log_lines()[-5:])
        raise RuntimeError(f"the first tick made no document; the function said: {said}")
