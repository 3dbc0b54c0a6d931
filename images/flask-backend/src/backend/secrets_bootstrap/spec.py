"""The file that lists the wanted Secrets, and how their values are made."""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from marshmallow import ValidationError, fields, validate, validates_schema

from backend.fields import StrictSchema
from backend.secrets_bootstrap.certificates import issue, make_authority

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


class CertificateSchema(StrictSchema):
    authority = fields.String(validate=_NAME)
    hosts = fields.List(fields.String(validate=_NAME), validate=validate.Length(min=1))

    @validates_schema(skip_on_field_errors=True)
    def check(self, data, **kwargs):
        if ("authority" in data) != ("hosts" in data):
            raise ValidationError("authority and hosts belong together; without both it is an authority", "hosts")


class SecretSchema(StrictSchema):
    name = fields.String(required=True, validate=_NAME)
    labels = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    keys = fields.Dict(
        keys=fields.String(validate=_KEY),
        values=fields.Nested(KeySchema),
        validate=validate.Length(min=1),
    )
    certificate = fields.Nested(CertificateSchema)

    @validates_schema(skip_on_field_errors=True)
    def check(self, data, **kwargs):
        if ("keys" in data) == ("certificate" in data):
            raise ValidationError("one of keys and certificate is needed", "keys")


@dataclass(frozen=True)
class WantedSecret:
    """A Secret to make: its name, labels, and how each key is made, or which certificate it holds."""

    name: str
    labels: dict[str, str]
    recipes: dict[str, dict] = field(default_factory=dict)
    certificate: dict | None = None

    @property
    def keys(self) -> list[str]:
        """Names of its keys."""
        if self.certificate is None:
            return list(self.recipes)
        return ["tls.crt", "tls.key", "ca.crt"] if self.authority else ["tls.crt", "tls.key"]

    @property
    def authority(self) -> str | None:
        """Name of the Secret whose authority signs its certificate."""
        return (self.certificate or {}).get("authority")

    def make_values(self, authority: dict[str, str] | None) -> dict[str, str]:
        """Fresh values by key.

        Args:
            authority: values of the Secret that `authority` names.

        Raises:
            BootstrapError: they are no authority.
        """
        if self.certificate is None:
            return {key: _make(recipe) for key, recipe in self.recipes.items()}
        if authority is None:
            return make_authority(self.name)
        try:
            return issue(self.certificate["hosts"], authority)
        except (KeyError, ValueError, TypeError) as error:
            fix = "delete it and the Secrets it signed, and all are made anew"
            raise BootstrapError(f"Secret {self.authority} holds no authority ({error}): {fix}") from None


def read_spec(path: Path) -> list[WantedSecret]:
    """The Secrets that the JSON file at `path` asks for, those that sign others first.

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
        loaded = SecretSchema(many=True).load(document)
    except ValidationError as error:
        raise BootstrapError(f"{path}: {_first_message(error.messages)}") from None
    wanted = [WantedSecret(recipes=item.pop("keys", {}), **item) for item in loaded]
    return sorted(wanted, key=lambda secret: secret.authority is not None)


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
