"""The words of the reader's own, in the languages that it speaks, and the names of languages."""

from collections.abc import Mapping
from dataclasses import dataclass


# Without the methods that nobody needs: they would take most of the time of this import.
@dataclass(frozen=True, eq=False, repr=False)
class Words:
    """All words of the pages that are not a book's own."""

    language: str
    tagline: str
    skip: str
    to_shelf: str
    ages: str
    more: str
    no_books: str
    no_pages: str
    place: str
    pages: str
    previous: str
    following: str
    end: str
    not_found: str
    not_found_hint: str
    unavailable: str
    unavailable_hint: str
    failed: str
    failed_hint: str
    again: str


_ENGLISH = Words(
    language="en",
    tagline="Storybooks to read together",
    skip="Skip to the content",
    to_shelf="All books",
    ages="Ages {ages}",
    more="More books",
    no_books="There are no books on this shelf yet.",
    no_pages="This book has no pages yet.",
    place="Page {number} of {count}",
    pages="Pages",
    previous="Previous page",
    following="Next page",
    end="The end",
    not_found="This page is not in any book",
    not_found_hint="The book may be gone, or it is not for everybody.",
    unavailable="The books are closed for a moment",
    unavailable_hint="Please try again in {seconds} seconds.",
    failed="This did not work",
    failed_hint="Please go back to the books.",
    again="Try again",
)

_KOREAN = Words(
    language="ko",
    tagline="함께 읽는 그림책",
    skip="본문으로 건너뛰기",
    to_shelf="모든 책",
    ages="{ages}세",
    more="책 더 보기",
    no_books="책장에 아직 책이 없어요.",
    no_pages="이 책에는 아직 쪽이 없어요.",
    place="전체 {count}쪽 중 {number}쪽",
    pages="쪽 이동",
    previous="이전 쪽",
    following="다음 쪽",
    end="끝",
    not_found="이 쪽은 어느 책에도 없어요",
    not_found_hint="책이 사라졌거나, 모두에게 공개된 책이 아니에요.",
    unavailable="지금은 책을 펼칠 수 없어요",
    unavailable_hint="{seconds}초 뒤에 다시 시도해 주세요.",
    failed="잘되지 않았어요",
    failed_hint="책장으로 돌아가 주세요.",
    again="다시 시도",
)

_WORDS: Mapping[str, Words] = {it.language: it for it in (_ENGLISH, _KOREAN)}

_NAMES: Mapping[str, str] = {
    "ar": "العربية",
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "hi": "हिन्दी",
    "id": "Bahasa Indonesia",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "pt": "Português",
    "ru": "Русский",
    "th": "ไทย",
    "tr": "Türkçe",
    "uk": "Українська",
    "vi": "Tiếng Việt",
    "zh": "中文",
}
"""Languages by their codes, each in its own words."""

_MOST = 20
"""Languages of a header that are looked at."""


def words_for(accepted: str) -> Words:
    """Return the words in the language that an Accept-Language header prefers; else English."""
    wanted = sorted(map(_weighed, accepted.split(",")[:_MOST]), key=lambda it: -it[0])
    known = (_WORDS[code] for weight, code in wanted if weight > 0 and code in _WORDS)
    return next(known, _ENGLISH)


def language_name(code: str) -> str:
    """Return a language's name in the language itself; the code if the name is unknown."""
    name = _NAMES.get(code.partition("-")[0])
    if name is None:
        return code
    return f"{name} ({code})" if "-" in code else name


def _weighed(item: str) -> tuple[float, str]:
    """Return the weight and the language, without its region, of one item of the header."""
    tag, *parameters = (part.strip().lower() for part in item.split(";"))
    quality = next((it[2:] for it in parameters if it.startswith("q=")), "1")
    try:
        weight = float(quality)
    except ValueError:
        weight = 0.0
    return weight, tag.partition("-")[0]
