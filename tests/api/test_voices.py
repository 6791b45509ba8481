import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from backend.models import Voice, VoiceStatus
from backend.services.transitions import OF_VOICES
from tests.api.people import new_name, sign_up
from tests.api.queries import counted_queries

VOICES = "/api/v1/voices"


def test_a_voice_is_made_changed_and_deleted(service: httpx.Client) -> None:
    """Private and processing at first."""
    person = sign_up(service)
    voice = person.make("voices", name="Grandpa", language="en")
    assert (voice["status"], voice["visibility"]) == ("processing", "private")
    path = f"{VOICES}/{voice['id']}"
    assert person.ask("GET", path).json() == voice
    changed = person.ask("PATCH", path, {"name": "Opa", "language": None}).json()
    assert (changed["name"], changed["language"]) == ("Opa", None)
    assert person.ask("DELETE", path).status_code == 204
    assert person.ask("GET", path).status_code == 404


def test_a_provider_has_a_voice_once(service: httpx.Client) -> None:
    """Whoever made it: others learn that the id is taken, and no more."""
    name = new_name()
    sign_up(service).make("voices", provider_voice_id=name)
    body = {"name": "Mina", "provider_voice_id": name}
    answer = sign_up(service).ask("POST", VOICES, body)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:moriai:problem:conflict")
    assert answer.json()["detail"] == "This provider_voice_id is taken. Send another one."


def test_shelves(service: httpx.Client, kept_session: Session) -> None:
    """Own, public and default ones; of a voice that is private others hear nothing."""
    mina, juno = sign_up(service), sign_up(service)
    mine, hidden = mina.make("voices")["id"], juno.make("voices")["id"]
    public = juno.make("voices", visibility="public")["id"]
    default = juno.make("voices")["id"]
    kept_session.execute(update(Voice).where(Voice.id == default).values(visibility="default"))
    kept_session.commit()

    def ids(shelf: str) -> set[str]:
        return mina.ids("voices", shelf) & {mine, hidden, public, default}

    assert ids("") == {mine, public, default}
    assert ids("&shelf=mine") == {mine}
    assert ids("&shelf=public") == {public}
    assert ids("&shelf=default") == {default}


def test_turning_the_pages_shows_every_voice_once(service: httpx.Client) -> None:
    """Newest first; each page is one query, after the one for the account."""
    person = sign_up(service)
    made = [person.make("voices")["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        with counted_queries() as queries:
            body = person.ask("GET", f"{VOICES}?shelf=mine&limit=2{cursor}").json()
        assert len(queries) == 2
        seen += [voice["id"] for voice in body["items"]]
        if body["next_cursor"] is None:
            break
        cursor = f"&cursor={body['next_cursor']}"
    assert seen == made[::-1]


@pytest.mark.parametrize("wanted", VoiceStatus)
@pytest.mark.parametrize("present", VoiceStatus)
def test_a_status_follows_another(
    service: httpx.Client, kept_session: Session, present: VoiceStatus, wanted: VoiceStatus
) -> None:
    """Along the table; the moment a voice becomes completed is kept."""
    person = sign_up(service)
    voice = person.make("voices")["id"]
    kept_session.execute(update(Voice).where(Voice.id == voice).values(status=present))
    kept_session.commit()
    answer = person.ask("PATCH", f"{VOICES}/{voice}", {"status": wanted})
    if wanted in OF_VOICES[present] or wanted == present:
        assert (answer.status_code, answer.json()["status"]) == (200, wanted)
        became = wanted == VoiceStatus.COMPLETED != present
        assert (answer.json()["completed_at"] is not None) == became
    else:
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:moriai:problem:status-transition"
