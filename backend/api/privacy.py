"""Keep proxies and browsers from storing answers that are for one account alone."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ACCOUNTS = "/api/v1/auth"
"""The path prefix of all account routes."""

_CACHE_CONTROL = b"cache-control"
_NO_STORE = (_CACHE_CONTROL, b"no-store")


class NoStore:
    """ASGI middleware: adds `Cache-Control: no-store` to an answer without that header.

    It does so if the request has a token, and for all account routes. Public answers stay as they
    are.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add the header to a private answer."""

        async def send_private(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                if not any(name.lower() == _CACHE_CONTROL for name, _ in headers):
                    message = {**message, "headers": [*headers, _NO_STORE]}
            await send(message)

        await self.app(scope, receive, send_private if _is_private(scope) else send)


def _is_private(scope: Scope) -> bool:
    if scope["type"] != "http":
        return False
    shows_token = any(name == b"authorization" for name, _ in scope["headers"])
    return shows_token or is_about_accounts(scope)


def is_about_accounts(scope: Scope) -> bool:
    """Return whether the request is for an account route."""
    return str(scope["path"]).startswith(f"{ACCOUNTS}/")
