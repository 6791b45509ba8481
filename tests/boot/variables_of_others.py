"""Variables of other programs, which must not disturb the command."""

OTHERS = {
    "APP_ENV": "production",
    "LOG_LEVEL": "WARN",
    "LOG_FORMAT": "pretty",
    "SEED": "42",
    "WEB_CONCURRENCY": "auto",
    "BACKEND_PORT": "tcp://10.0.0.1:80",
    "POSTGRES_PORT": "none",
    "MIGRATE_ON_FAILURE": "perhaps",
    "RELOAD": "maybe",
}
"""Each value would be wrong here."""
