"""Settings of the application on a database of a test."""

from pathlib import Path

from backend.settings import Settings, load_settings

ALEMBIC_INI = Path(__file__).parents[2] / "alembic.ini"


SECRET = "a long text that signs the tokens of tests"


def settings_for(url: str, **variables: str) -> Settings:
    """Return the settings of a test that runs on this database."""
    return load_settings(
        {
            "APP_ENV": "test",
            "JWT_SECRET": SECRET,
            "SIGN_IN_LIMITS": "false",
            "DATABASE_URL": url,
            "ALEMBIC_CONFIG": str(ALEMBIC_INI),
            **variables,
        }
    )
