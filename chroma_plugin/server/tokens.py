"""Who calls: tokens as salted digests, compared in constant time, each with what it may do."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from chroma_plugin.errors import AuthorizationError, InvalidArgumentError
from chroma_plugin.frozen import frozen

MIN_LENGTH: Final = 16
"""One round of SHA-256 protects what can't be guessed, so tokens are long."""
_SCHEME: Final = "sha256"
_SEPARATOR: Final = "$"


@frozen
class Grant:
    """What a caller may do. A tenant or database of None is any."""

    name: str = ""
    read_only: bool = False
    tenant: str | None = None
    database: str | None = None

    @property
    def unbound(self) -> bool:
        """Whether it may touch every tenant and database."""
        return self.tenant is None and self.database is None


EVERYTHING: Final = Grant()


@frozen
class Token:
    """A secret's digest and what it opens. The secret itself is nowhere."""

    salt: bytes
    digest: bytes
    grant: Grant

    def fits(self, secret: bytes) -> bool:
        return hmac.compare_digest(hashlib.sha256(self.salt + secret).digest(), self.digest)


def new_secret() -> str:
    """A random token of 256 bits."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """The line that stands for a secret in a file: ``sha256$salt$digest``.

    Raises InvalidArgumentError for a secret that is short enough to be guessed.
    """
    if len(secret) < MIN_LENGTH:
        raise InvalidArgumentError(
            f"A token needs at least {MIN_LENGTH} characters, this one has {len(secret)}. "
            f"`chroma-plugin token` makes a good one."
        )
    salt = secrets.token_bytes(16)
    return _SEPARATOR.join((_SCHEME, salt.hex(), hashlib.sha256(salt + secret.encode()).hexdigest()))


def token(line: str, grant: Grant) -> Token:
    """The token that a line of `hashed` stands for."""
    scheme, _, rest = line.partition(_SEPARATOR)
    salt, _, digest = rest.partition(_SEPARATOR)
    try:
        known = Token(bytes.fromhex(salt), bytes.fromhex(digest), grant)
    except ValueError:
        known = Token(b"", b"", grant)
    if scheme != _SCHEME or len(known.digest) != hashlib.sha256().digest_size:
        raise InvalidArgumentError(
            f"The hash of token {grant.name!r} can't be read: `chroma-plugin token` prints good ones."
        )
    return known


class Tokens:
    """Those that a server knows. With none at all, everybody may do everything."""

    def __init__(self, known: Sequence[Token] = ()) -> None:
        self._known = tuple(known)

    def __bool__(self) -> bool:
        return bool(self._known)

    def grant(self, headers: Mapping[bytes, bytes]) -> Grant:
        """What the headers of a request open: ``Authorization: Bearer``, ``Basic``, or ``X-Chroma-Token``.

        Raises AuthorizationError for none and for an unknown one.
        """
        if not self._known:
            return EVERYTHING
        user, secret = _presented(headers)
        found: Grant | None = None
        # All are tried, whatever fits: the time says nothing about which.
        for known in self._known:
            if known.fits(secret) and user in (None, known.grant.name):
                found = known.grant
        if found is None:
            raise AuthorizationError("This server does not know that token.")
        return found


def _presented(headers: Mapping[bytes, bytes]) -> tuple[str | None, bytes]:
    """The user, if there is one, and the secret."""
    given = headers.get(b"authorization") or headers.get(b"x-chroma-token")
    if not given:
        raise AuthorizationError(
            "This server asks for a token: send 'Authorization: Bearer <token>' or 'X-Chroma-Token: <token>'."
        )
    scheme, _, rest = given.partition(b" ")
    if scheme.lower() == b"basic":
        return _basic(rest)
    return None, rest.strip() if scheme.lower() == b"bearer" else given.strip()


def _basic(encoded: bytes) -> tuple[str, bytes]:
    try:
        user, _, password = base64.b64decode(encoded, validate=True).partition(b":")
        return user.decode(), password
    except (binascii.Error, UnicodeDecodeError) as error:
        raise AuthorizationError("The header 'Authorization: Basic' holds no base64 of user:password.") from error
