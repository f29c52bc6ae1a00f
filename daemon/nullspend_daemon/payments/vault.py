"""Keys of other people's Stripe accounts at rest: AES-256-GCM under a key derived from secret.key.

The organization's id is bound in, so that a row copied to another organization cannot be opened there.
"""

import hashlib
import hmac
import secrets
from typing import Any

from nullspend_daemon.errors import Misconfigured
from nullspend_daemon.payments.stripe_api import NO_EXTRA

NONCE_BYTES = 12
_PURPOSE = b"nullspend: stripe keys at rest"


class CannotOpen(Exception):
    """Sealed bytes that do not belong to this secret.key or to this organization."""


def seal(secret: bytes, org_id: str, text: str) -> bytes:
    """`text` encrypted for `org_id`, the nonce first. Raises Misconfigured without the extra `stripe`."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _cipher(secret).encrypt(nonce, text.encode(), org_id.encode())


def unseal(secret: bytes, org_id: str, sealed: bytes) -> str:
    """The text behind `sealed`. Raises CannotOpen, or Misconfigured without the extra `stripe`."""
    cipher = _cipher(secret)
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], org_id.encode()).decode()
    except InvalidTag:
        raise CannotOpen from None


def _cipher(secret: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise Misconfigured(NO_EXTRA) from None
    return AESGCM(hmac.digest(secret, _PURPOSE, hashlib.sha256))
