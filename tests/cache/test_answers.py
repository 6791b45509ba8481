import random
import threading

import pytest

from backend.cache.answers import _ROOM, Answers, Key

ONE, OTHER, LIST = Key("book 1", "en"), Key("book 2"), Key("books", (None, 20))


def keep(answers: Answers, key: Key, answer: bytes = b"{}") -> None:
    with answers.filling(key) as keeper:
        keeper(answer)


def test_what_is_kept_is_given() -> None:
    answers = Answers(60)
    assert answers.get(ONE) is None
    keep(answers, ONE, b"[1]")
    assert (answers.get(ONE), answers.get(OTHER)) == (b"[1]", None)


def test_exactly_the_answers_about_a_subject_are_given_up() -> None:
    """All of them, and no others."""
    answers = Answers(60)
    for key in (ONE, Key("book 1", "ko"), OTHER, LIST):
        keep(answers, key)
    answers.forget({"book 1", "voices"})
    assert answers.keys() == {OTHER, LIST}
    answers.clear()
    assert answers.keys() == frozenset()


@pytest.mark.parametrize("everything", [True, False])
def test_what_was_read_before_a_change_is_never_kept_after_it(everything: bool) -> None:
    """Nor by a second reader who began before it; by one who began after it, it is."""
    answers = Answers(60)
    with answers.filling(ONE) as first, answers.filling(ONE) as second:
        if everything:
            answers.clear()
        else:
            answers.forget({ONE.subject})
        first(b"old")
        assert answers.get(ONE) is None
        keep(answers, ONE, b"new")
        second(b"old")
        assert answers.get(ONE) == b"new"


def test_a_change_of_something_else_disturbs_no_reader() -> None:
    answers = Answers(60)
    with answers.filling(ONE) as keeper:
        answers.forget({OTHER.subject, LIST.subject})
        keeper(b"[]")
    assert answers.get(ONE) == b"[]"


def test_an_answer_grows_old() -> None:
    """Nothing is given whose time is over."""
    answers = Answers(0.01)
    keep(answers, ONE)
    threading.Event().wait(0.02)
    assert answers.get(ONE) is None


def test_the_room_is_bounded() -> None:
    """By bytes and by number; an answer that is larger than all of it is passed on alone."""
    answers = Answers(60)
    keep(answers, ONE, b"x" * (_ROOM + 1))
    assert answers.get(ONE) is None
    for number in range(5000):
        keep(answers, Key(f"book {number}"))
    assert len(answers.keys()) == 2048


def test_a_reading_that_fails_leaves_nothing() -> None:
    answers = Answers(60)
    with pytest.raises(ValueError, match="away"), answers.filling(ONE):
        raise ValueError("away")
    assert (answers.get(ONE), answers._fillings) == (None, set())


def test_threads_never_keep_what_is_older_than_a_change() -> None:
    """Readers and a writer at random: once a change was told, nobody is given what was before."""
    answers = Answers(60)
    stored, told = 0, 0
    ended = threading.Event()
    wrong: list[tuple[int, int]] = []

    def read() -> None:
        pause = random.Random(threading.get_ident())
        while not ended.is_set():
            least = told
            if (kept := answers.get(ONE)) is None:
                with answers.filling(ONE) as keeper:
                    found = stored
                    if pause.random() < 0.5:
                        threading.Event().wait(0.0001)
                    keeper(str(found).encode())
            elif int(kept) < least:
                wrong.append((int(kept), least))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(1, 2000):
        stored = number
        answers.forget({ONE.subject})
        told = number
    ended.set()
    for reader in readers:
        reader.join()
    assert wrong == []
