"""Answers without marshmallow's cost per field: each schema is turned once into plain functions over dictionaries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from flask.json.provider import DefaultJSONProvider
from marshmallow import Schema, fields

Convert = Callable[[Any], Any]


class FastDump:
    """Mixin of a schema: `dump` of dictionaries by compiled functions, of anything else as marshmallow does it."""

    def dump(self, obj, *, many: bool | None = None):
        many = self.many if many is None else many
        convert = compiled(type(self)) if not (self.only or self.exclude or self.partial) else None
        if convert is None or not (isinstance(obj, dict) or (many and isinstance(obj, list))):
            return super().dump(obj, many=many)
        return [convert(item) for item in obj] if many else convert(obj)


@cache
def compiled(schema: type[Schema]) -> Convert | None:
    """The function that dumps one dictionary; `None` when the schema has hooks, which only marshmallow runs."""
    instance = schema()
    if instance._hooks["pre_dump"] or instance._hooks["post_dump"]:
        return None
    steps = [
        (name, field.attribute or name, field.data_key or name, _converter(field, name))
        for name, field in instance.dump_fields.items()
    ]

    def convert(row: dict) -> dict:
        answer = {}
        for name, attribute, key, step in steps:
            if step is None:
                value = instance.fields[name].serialize(name, row)
                answer[key] = value
            elif attribute in row:
                value = row[attribute]
                answer[key] = value if value is None else step(value)
        return answer

    return convert


class OrjsonProvider(DefaultJSONProvider):
    """Flask's JSON by orjson; what that refuses (numbers above 64 bits, lone surrogates) the standard library writes."""

    def dumps(self, obj, **kwargs) -> str:
        if kwargs:
            return super().dumps(obj, **kwargs)
        try:
            return orjson.dumps(obj, self.default).decode()
        except TypeError:
            return super().dumps(obj)

    def response(self, *args, **kwargs):
        obj = self._prepare_response_obj(args, kwargs)
        try:
            body: bytes | str = orjson.dumps(obj, self.default) + b"\n"
        except TypeError:
            body = super().dumps(obj) + "\n"
        return self._app.response_class(body, mimetype=self.mimetype)


def utc_text(value: datetime) -> str:
    """RFC 3339 in UTC, from a zoneless time in UTC or an aware one."""
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat() + "Z"


def _converter(field: fields.Field, name: str) -> Convert | None:
    """The conversion of a field's values; `None` for fields that only marshmallow knows how to serialise."""
    if isinstance(field, fields.Nested) and not field.many:
        return _nested(field)
    if isinstance(field, fields.List):
        inner = _converter(field.inner, name)
        return None if inner is None else lambda values: [None if item is None else inner(item) for item in values]
    from backend.fields import Flag, UtcDateTime

    return {
        fields.String: str,
        fields.Integer: int,
        fields.Float: float,
        fields.Boolean: bool,
        fields.Dict: dict,
        Flag: bool,
        UtcDateTime: utc_text,
    }.get(type(field))


def _nested(field: fields.Nested) -> Convert | None:
    schema = field.schema
    if not isinstance(schema, FastDump) or schema.only or schema.exclude or schema.many:
        return None
    return compiled(type(schema))
