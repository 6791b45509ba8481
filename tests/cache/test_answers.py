import asyncio
import random
import threading
from collections.abc import Awaitable, Callable

import pytest

from backend.cache.answers import _ROOM, Answers, Key

ONE, OTHER, LIST = Key("book 1", "en"), Key("book 2"), Key("books", (None, 20))


def reading(answer: bytes | None) -> Callable[[], Awaitable[bytes | None]]:
    async def read() -> bytes | None:
        return answer

    return read


async def unread() -> bytes:
    raise AssertionError("It is kept.")


def keep(answers: Answers, key: Key, answer: bytes = b"{}") -> None:
    assert asyncio.run(answers.answer(key, reading(answer))) == answer


class Held:
    """A reading that ends when a test says so."""

    def __init__(self) -> None:
        self.begun = 0
        self.answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

    async def read(self) -> bytes | None:
        self.begun += 1
        return await self.answer


async def turn() -> None:
    """Let every task go on until it has to wait."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_what_is_kept_is_given() -> None:
    answers = Answers(60)
    assert answers.kept(ONE) is None
    keep(answers, ONE, b"[1]")
    assert answers.kept(ONE) == b"[1]"
    assert asyncio.run(answers.answer(ONE, unread)) == b"[1]"
    keep(answers, OTHER, b"[2]")
    assert (answers.hits, answers.misses) == (1, 2)


def test_nothing_found_is_not_kept() -> None:
    answers = Answers(60)
    assert asyncio.run(answers.answer(ONE, reading(None))) is None
    assert answers.kept(ONE) is None


def test_exactly_the_answers_about_a_subject_are_given_up() -> None:
    """All of them, and no others."""
    answers = Answers(60)
    for key in (ONE, Key("book 1", "ko"), OTHER, LIST):
        keep(answers, key)
    answers.forget({"book 1", "voices"})
    assert answers.keys() == {OTHER, LIST}
    answers.clear()
    assert answers.keys() == frozenset()


def test_one_reads_for_all_who_ask_meanwhile() -> None:
    async def crowd() -> None:
        answers, held = Answers(60), Held()
        asking = [asyncio.create_task(answers.answer(ONE, held.read)) for _ in range(20)]
        await turn()
        held.answer.set_result(b"[1]")
        assert await asyncio.gather(*asking) == [b"[1]"] * 20
        assert (held.begun, answers.misses, answers.hits) == (1, 1, 19)
        assert answers.keys() == {ONE}

    asyncio.run(crowd())


@pytest.mark.parametrize("everything", [True, False])
def test_what_was_read_before_a_change_is_never_given_after_it(everything: bool) -> None:
    """Who asks after the change neither waits for the old reading, nor finds its answer kept."""

    async def crowd() -> None:
        answers, old, new = Answers(60), Held(), Held()
        before = [asyncio.create_task(answers.answer(ONE, old.read)) for _ in range(2)]
        await turn()
        if everything:
            answers.clear()
        else:
            answers.forget({ONE.subject})
        after = [asyncio.create_task(answers.answer(ONE, new.read)) for _ in range(2)]
        await turn()
        assert (old.begun, new.begun) == (1, 1)
        old.answer.set_result(b"old")
        assert await asyncio.gather(*before) == [b"old"] * 2
        assert answers.kept(ONE) is None
        new.answer.set_result(b"new")
        assert await asyncio.gather(*after) == [b"new"] * 2
        assert await answers.answer(ONE, unread) == b"new"

    asyncio.run(crowd())


def test_a_late_reading_takes_nothing_away() -> None:
    """The new answer stays, if the old reading ends after the new one."""

    async def crowd() -> None:
        answers, old = Answers(60), Held()
        before = asyncio.create_task(answers.answer(ONE, old.read))
        await turn()
        answers.forget({ONE.subject})
        await answers.answer(ONE, reading(b"new"))
        old.answer.set_result(b"old")
        assert await before == b"old"
        assert await answers.answer(ONE, unread) == b"new"

    asyncio.run(crowd())


def test_what_is_made_of_an_old_answer_is_not_kept() -> None:
    """Its source is kept when the making begins, and changes before it ends."""

    async def crowd() -> None:
        answers, ended = Answers(60), asyncio.Event()
        part = Key(ONE.subject, "part")

        async def make() -> bytes | None:
            source = answers.kept(ONE)
            await ended.wait()
            return source

        await answers.answer(ONE, reading(b"old"))
        before = asyncio.create_task(answers.answer(part, make))
        await turn()
        answers.forget({ONE.subject})
        await answers.answer(ONE, reading(b"new"))
        ended.set()
        assert await before == b"old"
        assert answers.keys() == {ONE}
        assert await answers.answer(part, make) == b"new"

    asyncio.run(crowd())


def test_a_change_of_something_else_disturbs_no_reader() -> None:
    async def crowd() -> None:
        answers, held = Answers(60), Held()
        asking = asyncio.create_task(answers.answer(ONE, held.read))
        await turn()
        answers.forget({OTHER.subject, LIST.subject})
        held.answer.set_result(b"[]")
        await asking
        assert answers.keys() == {ONE}

    asyncio.run(crowd())


def test_a_reading_that_fails_fails_for_all_who_wait() -> None:
    """They would fail as well, one after the other. Who asks next reads anew."""

    async def crowd() -> None:
        answers, held = Answers(60), Held()
        asking = [asyncio.create_task(answers.answer(ONE, held.read)) for _ in range(3)]
        await turn()
        held.answer.set_exception(ValueError("away"))
        failures = await asyncio.gather(*asking, return_exceptions=True)
        assert [str(it) for it in failures] == ["away"] * 3
        assert held.begun == 1
        assert await answers.answer(ONE, reading(b"[]")) == b"[]"

    asyncio.run(crowd())


def test_a_reader_who_is_cut_off_leaves_the_reading_to_the_next() -> None:
    async def crowd() -> None:
        answers, first, second = Answers(60), Held(), Held()
        cut_off = asyncio.create_task(answers.answer(ONE, first.read))
        await turn()
        waiting = [asyncio.create_task(answers.answer(ONE, second.read)) for _ in range(3)]
        await turn()
        cut_off.cancel()
        await turn()
        assert cut_off.cancelled()
        waiting.pop().cancel()
        second.answer.set_result(b"[]")
        assert await asyncio.gather(*waiting) == [b"[]"] * 2
        assert second.begun == 1

    asyncio.run(crowd())


def test_an_answer_grows_old() -> None:
    """Nothing is given whose time is over."""
    answers = Answers(0.01)
    keep(answers, ONE, b"old")
    threading.Event().wait(0.02)
    keep(answers, ONE, b"new")


@pytest.mark.slow
def test_the_room_is_bounded() -> None:
    """By bytes and by number; an answer that is larger than all of it is passed on alone."""
    answers = Answers(60)
    keep(answers, ONE, b"x" * (_ROOM + 1))
    assert answers.kept(ONE) is None
    for number in range(5000):
        keep(answers, Key(f"book {number}"))
    assert len(answers.keys()) == 2048


def test_nobody_is_given_what_is_older_than_a_change() -> None:
    """Readers at random, and a writer in another thread, as changes are told."""
    answers = Answers(60)
    stored, told = 0, 0
    ended = threading.Event()
    wrong: list[tuple[int, int]] = []

    def write() -> None:
        nonlocal stored, told
        for number in range(1, 2000):
            stored = number
            answers.forget({ONE.subject})
            told = number
        ended.set()

    async def read() -> bytes:
        found = stored
        if random.random() < 0.5:
            await asyncio.sleep(0.0001)
        return str(found).encode()

    async def ask() -> None:
        while not ended.is_set():
            least = told
            found = await answers.answer(ONE, read)
            assert found is not None
            if int(found) < least:
                wrong.append((int(found), least))
            await asyncio.sleep(0)

    async def crowd() -> None:
        await asyncio.gather(asyncio.to_thread(write), *(ask() for _ in range(4)))

    asyncio.run(crowd())
    assert wrong == []
