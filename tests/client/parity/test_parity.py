"""boto3 and the routed one answer alike: each case is one call, made by both on servers of a kind.

Where a server differs from AWS's DynamoDB does not matter here: both ask the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import pytest
from _pytest.mark import ParameterSet

from tests.client.parity import (
    batches,
    conditions,
    errors,
    keys,
    legacy,
    numbers,
    projections,
    queries,
    returned,
    scans,
    transactions,
    updates,
    values,
)
from tests.client.parity.case import Case, Form
from tests.client.parity.gaps import MOTO_FAILS
from tests.client.parity.outcome import Side
from tests.client.parity.servers import on_dynalite, on_moto, sides

TOPICS = (
    batches,
    conditions,
    errors,
    keys,
    legacy,
    numbers,
    projections,
    queries,
    returned,
    scans,
    transactions,
    updates,
    values,
)
CASES: tuple[Case, ...] = tuple(case for topic in TOPICS for case in topic.CASES)
QUICK = frozenset(case.name for case in CASES[::12] if not case.heavy)
"""Those of `make test`: every twelfth one of each topic."""


def listed(cases: Iterable[Case], form: Form | None = None) -> list[ParameterSet]:
    """Cases as parameters of a test. form: that of all; None: as each is written."""
    return [
        pytest.param(
            case,
            form or case.form,
            id=case.name,
            marks=() if case.name in QUICK else (pytest.mark.long, pytest.mark.client),
        )
        for case in cases
    ]


ON_MOTO = tuple(case for case in CASES if case.name not in MOTO_FAILS)
ON_DYNALITE = tuple(case for case in CASES if case.dynalite)


def of_tables(cases: Iterable[Case]) -> list[ParameterSet]:
    """Those that are written as a Table's, as the client's."""
    return listed((case for case in cases if case.form is Form.TABLE), Form.CLIENT)


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    """boto3 and the routed one on moto."""
    folder = tmp_path_factory.mktemp("moto")
    with sides(on_moto(folder), folder) as both:
        yield both


@pytest.fixture(scope="module")
def dynalite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    """boto3 and the routed one on dynalite."""
    folder = tmp_path_factory.mktemp("dynalite")
    with sides(on_dynalite(folder), folder) as both:
        yield both


def test_there_are_at_least_300_cases_and_each_has_its_name() -> None:
    assert len(CASES) >= 300
    assert [name for name, times in Counter(case.name for case in CASES).items() if times > 1] == []
    assert {case.name for case in CASES if case.dynalite} >= MOTO_FAILS - {
        "transaction: an empty one"
    }


@pytest.mark.world
@pytest.mark.parametrize(("case", "form"), listed(ON_MOTO))
def test_it_answers_as_boto3_does(case: Case, form: Form, moto: tuple[Side, Side]) -> None:
    plain, routed = moto
    assert routed.run(case, form) == plain.run(case, form)


@pytest.mark.world
@pytest.mark.long
@pytest.mark.client
@pytest.mark.parametrize(("case", "form"), of_tables(ON_MOTO))
def test_a_tables_call_answers_as_boto3_does_through_the_low_level_client(
    case: Case, form: Form, moto: tuple[Side, Side]
) -> None:
    plain, routed = moto
    assert routed.run(case, form) == plain.run(case, form)


@pytest.mark.world
@pytest.mark.long
@pytest.mark.client
@pytest.mark.parametrize(("case", "form"), listed(ON_DYNALITE))
def test_it_answers_as_boto3_does_on_an_independent_server(
    case: Case, form: Form, dynalite: tuple[Side, Side]
) -> None:
    plain, routed = dynalite
    assert routed.run(case, form) == plain.run(case, form)


@pytest.mark.world
@pytest.mark.long
@pytest.mark.client
@pytest.mark.parametrize(("case", "form"), of_tables(ON_DYNALITE))
def test_the_low_level_client_answers_as_boto3_does_on_an_independent_server(
    case: Case, form: Form, dynalite: tuple[Side, Side]
) -> None:
    plain, routed = dynalite
    assert routed.run(case, form) == plain.run(case, form)
