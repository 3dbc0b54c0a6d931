"""Settings, read once from the environment; `docs/developers/contracts.md` lists the variables."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import click
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import NoDecode

from backend.database_settings import DatabaseSettings, read_file, read_secret_file, shard_settings

if TYPE_CHECKING:
    from backend.grpc_calls import Tls

ALPHA_ADMIN_EMAIL = "admin@example.com"
ALPHA_ADMIN_PASSWORD = "admin"
MIN_PASSWORD_LENGTH = 12
MIN_ENCRYPTION_KEY_LENGTH = 32


class ConfigError(click.ClickException):
    """A setting is wrong; the text is one line that names the variable and the fix."""

    exit_code = 2


class Settings(DatabaseSettings):
    """All settings, by the lower-case names of their environment variables.

    Raises:
        pydantic.ValidationError: a value is missing or wrong; use `load_settings` for one clear line.
    """

    environment: Literal["alpha", "beta", "production"] = "production"
    triptych_version: str = "0.1.0"
    port: int = Field(5000, ge=1, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    threads: int = Field(24, ge=1, le=256)
    stream_limit: int = Field(0, ge=0, le=255)
    send_timeout_seconds: int = Field(60, ge=1, le=3600)
    background: Literal["embedded", "external"] = "embedded"
    worker_threads: int = Field(2, ge=1, le=32)
    trusted_proxy_hops: int = Field(1, ge=0, le=8)

    # By name; the variable holds the names, see `shard_settings`.
    shards: Annotated[dict[str, DatabaseSettings], NoDecode] = Field(default_factory=dict)

    redis_host: str = ""
    redis_port: int = Field(6379, ge=1, le=65535)
    redis_password: SecretStr | None = None
    redis_password_file: Path | None = None

    go_backend_target: str = ""
    go_backend_tls_ca_file: Path | None = None
    go_backend_tls_cert_file: Path | None = None
    go_backend_tls_key_file: Path | None = None
    audit_retention_days: int = Field(0, ge=0, le=36500)
    webhook_allowed_networks: str = ""
    cors_allowed_origins: str = ""
    otel_exporter_otlp_endpoint: str = ""

    jwt_signing_key_file: Path | None = None
    encryption_key_file: Path | None = None
    password_hash_cost: int = Field(12, ge=4, le=15)

    first_admin_email: str = ""
    first_admin_password: SecretStr | None = None
    first_admin_password_file: Path | None = None
    first_admin_must_change_password: bool | None = None

    @property
    def is_alpha(self) -> bool:
        return self.environment == "alpha"

    @property
    def webhook_networks(self) -> list[IPv4Network | IPv6Network]:
        """WEBHOOK_ALLOWED_NETWORKS as networks. Raises `ValueError`."""
        try:
            return [ip_network(text.strip()) for text in self.webhook_allowed_networks.split(",") if text.strip()]
        except ValueError as error:
            raise ValueError(f"WEBHOOK_ALLOWED_NETWORKS: {error}; for example 10.1.0.0/16,fd00:1::/64") from None

    @property
    def cors_origins(self) -> list[str]:
        """CORS_ALLOWED_ORIGINS as a list. Raises `ValueError`."""
        origins = [text.strip() for text in self.cors_allowed_origins.split(",") if text.strip()]
        for origin in origins:
            if not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", origin):
                raise ValueError(f"CORS_ALLOWED_ORIGINS: {origin!r} is no origin; for example https://app.example.com")
        return origins

    @property
    def encryption_keys(self) -> list[str]:
        """Lines of ENCRYPTION_KEY_FILE. Raises `ValueError` when it cannot be read or a line is too short."""
        if self.encryption_key_file is None:
            return []
        lines = read_file("ENCRYPTION_KEY_FILE", self.encryption_key_file).decode(errors="replace").split()
        if not lines or min(map(len, lines)) < MIN_ENCRYPTION_KEY_LENGTH:
            raise ValueError(f"ENCRYPTION_KEY_FILE: a line must have {MIN_ENCRYPTION_KEY_LENGTH} characters or more")
        return lines

    @property
    def go_backend_tls(self) -> Tls | None:
        """How channels to the Go backend are secured; None: they are not."""
        from backend.grpc_calls import Tls

        if self.go_backend_tls_ca_file is None:
            return None
        return Tls(self.go_backend_tls_ca_file, self.go_backend_tls_cert_file, self.go_backend_tls_key_file)

    @property
    def min_password_length(self) -> int:
        """Shortest password that a user may have in this environment, in characters."""
        return 8 if self.is_alpha else MIN_PASSWORD_LENGTH

    @property
    def first_admin_changes_password(self) -> bool:
        """Whether the first admin's password is good for its change alone; by default outside alpha."""
        wanted = self.first_admin_must_change_password
        return not self.is_alpha if wanted is None else wanted

    @field_validator("shards", mode="before")
    @classmethod
    def _load_shards(cls, value: object) -> object:
        return shard_settings(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Settings:
        for name in ("redis_password", "first_admin_password"):
            read_secret_file(self, name)
        _check_shards(self)
        _check_go_backend(self)
        _check_keys(self)
        self.stream_limit = self.stream_limit or max(1, self.threads // 3)
        _ = self.cors_origins, self.encryption_keys, self.webhook_networks
        _check_first_admin(self)
        return self


def load_settings() -> Settings:
    """Settings from the environment.

    Raises:
        ConfigError: with one line for the first wrong variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        name = ".".join(str(part) for part in first["loc"]).upper()
        raise ConfigError(f"{name}: {message}" if name else message) from None


def _check_shards(settings: Settings) -> None:
    seen = {settings.address: "the primary"}
    for name, shard in settings.shards.items():
        if shard.address in seen:
            raise ValueError(f"SHARDS: {name} is the database of {seen[shard.address]}: give each shard one of its own")
        seen[shard.address] = name


def _check_go_backend(settings: Settings) -> None:
    if not settings.go_backend_target:
        return
    host, _, port = settings.go_backend_target.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("GO_BACKEND_TARGET: must be host:port, for example go-backend:50051")
    names = ("go_backend_tls_ca_file", "go_backend_tls_cert_file", "go_backend_tls_key_file")
    ca, certificate, key = (getattr(settings, name) for name in names)
    if bool(certificate) != bool(key):
        raise ValueError("GO_BACKEND_TLS_KEY_FILE: set it together with GO_BACKEND_TLS_CERT_FILE")
    if certificate and not ca:
        raise ValueError("GO_BACKEND_TLS_CA_FILE: is required with GO_BACKEND_TLS_CERT_FILE")
    for name in names:
        if getattr(settings, name) is not None:
            read_file(name.upper(), getattr(settings, name))


def _check_keys(settings: Settings) -> None:
    if settings.jwt_signing_key_file is not None:
        read_file("JWT_SIGNING_KEY_FILE", settings.jwt_signing_key_file)
    if settings.password_hash_cost < 10 and not settings.is_alpha:
        raise ValueError("PASSWORD_HASH_COST: must be at least 10 outside alpha")


def _check_first_admin(settings: Settings) -> None:
    if settings.is_alpha:
        settings.first_admin_email = settings.first_admin_email or ALPHA_ADMIN_EMAIL
        settings.first_admin_password = settings.first_admin_password or SecretStr(ALPHA_ADMIN_PASSWORD)
        return
    if settings.first_admin_password is None:
        return
    password = settings.first_admin_password.get_secret_value()
    if password == ALPHA_ADMIN_PASSWORD or len(password) < MIN_PASSWORD_LENGTH:
        raise ValueError(
            f"FIRST_ADMIN_PASSWORD: must have at least {MIN_PASSWORD_LENGTH} characters"
            f" with ENVIRONMENT={settings.environment}; the default is for alpha only"
        )
    if not settings.first_admin_email:
        raise ValueError("FIRST_ADMIN_EMAIL: is required with FIRST_ADMIN_PASSWORD")
