"""The application: `uvicorn backend.main:app` serves it.

The application checks its database but never changes the schema: the boot does that before.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, nullcontext
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from sqlalchemy import event
from sqlalchemy.orm import sessionmaker

from alembic_boot.serving.handover import handed_over
from alembic_boot.serving.readiness import ReadinessProbe, SharedProbe
from alembic_boot.serving.readiness_check import ReadinessCheck
from backend import __version__
from backend.allocation import bound_memory
from backend.api import accounts, books, docs, health, pages, scraping, voices
from backend.api.body_limit import BodyLimit
from backend.api.cut_off import CutOff
from backend.api.database import check_connection, lent, opened_engine, reading_each_table
from backend.api.dependencies import Resources
from backend.api.errors import add_error_handlers
from backend.api.hashing import Hashing
from backend.api.head import HeadAsGet
from backend.api.metrics import CacheFigures, Metrics
from backend.api.outgoing import BoundedAnswers
from backend.api.privacy import NoStore
from backend.api.problems import with_media_type
from backend.api.request_log import RequestLog
from backend.api.startup import BriefStartupFailure
from backend.api.status_page import StatusPage, shown
from backend.api.untrusted_proxies import UntrustedProxies
from backend.cache.answers import Answers
from backend.events.listener import Hearers, listening
from backend.kept_secret import kept_secret
from backend.models import Base
from backend.reader import routes as reader, static_files
from backend.reader.html_problems import HtmlProblems
from backend.services.attempts import Attempts
from backend.services.cache_keys import invalidate, subjects_of
from backend.services.changes import notify_locally
from backend.services.tokens import Tokens
from backend.settings import DATA_FOLDER, AppEnv, Settings, load_settings
from backend.uses import USES

_log = logging.getLogger(__name__)

_KEPT_FOR = 30.0
"""Seconds: largest age of an answer from the cache if an event was lost."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; without `settings` it reads the environment when it starts.

    Nothing is opened or required before the server runs the lifespan.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        bound_memory()
        current = settings or load_settings(uses=USES["serve"])
        current.require_secrets_to_serve()
        secret = current.jwt_secret or kept_secret(DATA_FOLDER)
        boot = current.description()
        with (
            opened_engine(boot.database_url) as engine,
            closing(Hashing()) as hashing,
            closing(Hashing(threads=1, waiting=50)) as judging,
        ):
            await run_in_threadpool(check_connection, engine, boot.database_url)
            _log.info("Database connection verified")
            answers = Answers(_KEPT_FOR)
            _log.info("Cache started")
            hearers = Hearers(partial(invalidate, answers), answers.clear)
            events_url = current.events_database_url or boot.database_url
            async with listening(events_url, hearers) as listener:
                _log.info("Event bus started")
                here = notify_locally(lambda event: answers.forget(subjects_of(event)))
                needed = reading_each_table(engine, Base.metadata)
                check = ReadinessCheck(boot, needed=needed)
                readiness = ReadinessProbe(boot.database_url, check, partial(lent, engine))
                event.listen(engine, "after_cursor_execute", partial(_worked, readiness))
                worker = os.getpid() if boot.serve.workers > 1 else None
                stages = handed_over(boot).get("stages", {})
                metrics = Metrics(engine, readiness, stages, worker)
                metrics.watch_cache("answers", partial(_figures, answers))
                app.state.resources = Resources(
                    sessions=sessionmaker(engine, info=dict(here)),
                    readiness=readiness,
                    asked=SharedProbe(readiness),
                    tokens=Tokens(secret),
                    metrics=metrics,
                    shows_docs=current.api_docs,
                    has_shelf_at_root=current.app_env is AppEnv.PROD,
                    max_body_bytes=current.max_body_bytes,
                    answers=answers,
                    events=listener,
                    hashing=hashing,
                    judging=judging,
                    attempts=Attempts(secret if current.sign_in_limits else None),
                    untrusted=UntrustedProxies(
                        current.sign_in_limits and current.app_env is AppEnv.PROD
                    ),
                )
                _log.info("Backend started")
                with shown(app, boot, readiness) if current.shows_status_page else nullcontext():
                    yield
                await run_in_threadpool(readiness.close)
        _log.info("Backend stopped")

    app = FastAPI(
        title="MoriAI",
        version=__version__,
        summary="Storybooks for children, read aloud.",
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
        # The package would load them from a CDN, for everybody: see docs.py.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # The redirect would lead to any host that the request names.
        redirect_slashes=False,
    )
    app.add_middleware(StatusPage)
    app.add_middleware(BodyLimit)
    app.add_middleware(CutOff)
    app.add_middleware(HeadAsGet)
    app.add_middleware(BoundedAnswers)
    app.add_middleware(NoStore)
    app.add_middleware(RequestLog)
    app.add_middleware(HtmlProblems)
    app.add_middleware(BriefStartupFailure)
    add_error_handlers(app)
    for part in (health, scraping, docs, accounts, books, pages, voices, reader, static_files):
        app.include_router(part.router)
    document = app.openapi
    app.openapi = lambda: with_media_type(document())  # type: ignore[method-assign]
    return app


def _worked(
    readiness: ReadinessProbe, _connection: Any, _cursor: Any, statement: str, *_more: object
) -> None:
    readiness.statements.note_worked(statement)


def _figures(answers: Answers) -> CacheFigures:
    return CacheFigures(answers.hits, answers.misses, len(answers.keys()))


def _operation_id(route: APIRoute) -> str:
    """Return the function's name: it is unique, and generated clients use it."""
    return route.name


app = create_app()
