"""The file that lists the wanted Secrets, and how their values are made."""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from marshmallow import ValidationError, fields, validate, validates_schema

from backend.fields import StrictSchema

# Letters and digits only: such a password survives every URL, shell and configuration file.
ALPHABET = string.ascii_letters + string.digits
_NAME = validate.Regexp(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", error="is no Kubernetes name")
_KEY = validate.Regexp(r"^[-._a-zA-Z0-9]{1,253}$", error="is no key of a Secret")


class BootstrapError(Exception):
    """Secrets could not be made; one line tells why, and never a value."""


class KeySchema(StrictSchema):
    type = fields.String(required=True, validate=validate.OneOf(["password", "ed25519", "literal"]))
    length = fields.Integer(strict=True, validate=validate.Range(min=12, max=256))
    value = fields.String(validate=validate.Length(min=1))

    @validates_schema(skip_on_field_errors=True)
    def check(self, data, **kwargs):
        if ("value" in data) != (data["type"] == "literal"):
            raise ValidationError("value belongs to the type literal, which needs it", "value")
        if "length" in data and data["type"] != "password":
            raise ValidationError("length belongs to the type password", "length")


class SecretSchema(StrictSchema):
    name = fields.String(required=True, validate=_NAME)
    labels = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    keys = fields.Dict(
        keys=fields.String(validate=_KEY),
        values=fields.Nested(KeySchema),
        required=True,
        validate=validate.Length(min=1),
    )


@dataclass(frozen=True)
class WantedSecret:
    """A Secret to make: its name, labels, and how each key is made."""

    name: str
    labels: dict[str, str]
    keys: dict[str, dict]

    def make_values(self) -> dict[str, str]:
        """Fresh values by key."""
        return {key: _make(recipe) for key, recipe in self.keys.items()}


def read_spec(path: Path) -> list[WantedSecret]:
    """The Secrets that the JSON file at `path` asks for.

    Raises:
        BootstrapError: it cannot be read, is no JSON, or breaks the schema.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise BootstrapError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise BootstrapError(f"{path} is no JSON: {error}") from None
    if not isinstance(document, list):
        raise BootstrapError(f"{path} must hold a list of Secrets")
    try:
        return [WantedSecret(**item) for item in SecretSchema(many=True).load(document)]
    except ValidationError as error:
        raise BootstrapError(f"{path}: {_first_message(error.messages)}") from None


def _first_message(messages, path: str = "") -> str:
    if isinstance(messages, dict):
        key, value = next(iter(messages.items()))
        return _first_message(value, f"{path}[{key!r}]")
    return f"{path} {messages[0]}"


def _make(recipe: dict) -> str:
    if recipe["type"] == "literal":
        return recipe["value"]
    if recipe["type"] == "password":
        return "".join(secrets.choice(ALPHABET) for _ in range(recipe.get("length", 32)))
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )
