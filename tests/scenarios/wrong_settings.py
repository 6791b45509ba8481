"""Settings that are wrong, as cases of tests."""

from dataclasses import dataclass, field

SECRET = "a-long-random-text"

LOGIN_ADVICE = "Correct the role, the password, the TLS settings or the options in DATABASE_URL."


@dataclass(frozen=True)
class Case:
    """Variables that are wrong, and how a task ends because of them.

    `…` in the sentence stands for anything; `{url}`, `{port}` and `{database}` in both are those
    of an empty database that works.
    """

    name: str
    status: int
    sentence: str
    variables: dict[str, str] = field(default_factory=dict)
    task: str = "migrate"
