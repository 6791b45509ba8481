"""The OpenAPI document, tried by schemathesis: what it says is what is answered.

Requests that are right by the document, and ones that are wrong by it, to every route: none is
answered by 5xx, nor by a status, a media type or a body that the document does not have.

`pytest tests/api/contract.py` runs this file; so does `test_contract.py`.
"""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, CheckFunction
from schemathesis.checks import negative_data_rejection, positive_data_acceptance

from backend.main import create_app
from tests.api.paths import ENDING
from tests.api.people import Person, sign_up

pytest_plugins = ["schemathesis.pytest.plugin"]

pytestmark = pytest.mark.slow


def _without_sizes(part: Any) -> Any:
    """Return the document without the most items of lists, which would all be tried: minutes."""
    if isinstance(part, dict):
        return {key: _without_sizes(it) for key, it in part.items() if key != "maxItems"}
    return [_without_sizes(it) for it in part] if isinstance(part, list) else part


CONTENT = _without_sizes(create_app().openapi())

DOCUMENT = schemathesis.openapi.from_dict(CONTENT)

WITHOUT_COVERAGE = {"phases": {"coverage": {"enabled": False}}}
"""Leave out the values at each limit of the document: one of the tests tries them."""

# Whoever has no token is refused before most of a request is read.
BY_NOBODY = schemathesis.openapi.from_dict(
    CONTENT, config=schemathesis.Config.from_dict(WITHOUT_COVERAGE)
)

# What is wrong with a request is found before anything is looked for: here all are right.
OF_WHAT_IS_THERE = schemathesis.openapi.from_dict(
    CONTENT,
    config=schemathesis.Config.from_dict({"generation": {"mode": "positive"}, **WITHOUT_COVERAGE}),
).include(path_regex=r"\{")

OWN_RULES = {"value_error", "too_long", "unfit_password"}

EXAMPLES = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

FEW = settings(EXAMPLES, max_examples=8)
"""For what differs from `test_of_anything` in one respect alone."""


@pytest.fixture(scope="module")
def person(service: httpx.Client) -> Person:
    return sign_up(service)


@DOCUMENT.parametrize()
@EXAMPLES
def test_of_anything(case: Case[Any], person: Person) -> None:
    """Of ids that hardly ever are somebody's."""
    who = sign_up(person.client) if f"{case.method} {case.path}" in ENDING else person
    _try(case, who.client, who.headers)


@BY_NOBODY.parametrize()
@FEW
def test_by_nobody(case: Case[Any], service: httpx.Client) -> None:
    """Without a token: what needs one says so, and everything else is answered."""
    _try(case, service, {})


@OF_WHAT_IS_THERE.parametrize()
@FEW
def test_of_what_is_there(case: Case[Any], person: Person) -> None:
    """Of a book or a voice that was made for it."""
    if "/voices/{voice_id}" in case.path:
        ids = {"voice_id": person.make("voices")["id"]}
    else:
        book = person.make("books")
        page = book["pages"][0]
        ids = {
            "book_id": book["id"],
            "page_id": page["id"],
            "dialogue_id": page["dialogues"][0]["id"],
        }
    case.path_parameters.update({name: ids[name] for name in ids if name in case.path_parameters})
    _try(case, person.client, person.headers)


def _try(case: Case[Any], client: httpx.Client, headers: dict[str, str]) -> None:
    answer = case.call(base_url=str(client.base_url), headers=headers)
    excluded: list[CheckFunction] = []
    if answer.status_code == 422:
        # What no schema can say (which characters are to be seen), and what was taken out of this.
        kinds = {complaint["type"] for complaint in answer.json()["errors"]}
        excluded = [positive_data_acceptance] if kinds <= OWN_RULES else []
    if answer.status_code == 413:
        # Refused for its size, before anybody looks at what else is wrong with it.
        excluded = [negative_data_rejection]
    case.validate_response(answer, headers=headers, excluded_checks=excluded)
