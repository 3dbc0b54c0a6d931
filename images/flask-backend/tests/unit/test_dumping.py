"""The fast way out says what marshmallow says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from marshmallow import Schema, fields, post_dump

from backend.dumping import FastDump, compiled, utc_text
from backend.fields import Flag, StrictSchema, UtcDateTime
from backend.jobs.schemas import JobListSchema
from backend.users.schemas import UserListSchema

MOMENT = datetime(2026, 1, 2, 3, 4, 5)


class Inner(StrictSchema):
    number = fields.Integer(required=True)
    moment = UtcDateTime(allow_none=True)


class Outer(StrictSchema):
    text = fields.String()
    flag = Flag()
    other = fields.String(data_key="renamed", attribute="stored")
    inner = fields.Nested(Inner)
    many = fields.List(fields.Nested(Inner))
    tags = fields.List(fields.String())
    anything = fields.Dict()
    odd = fields.Method("shout")
    hidden = fields.String(load_only=True)

    def shout(self, row) -> str:
        return str(row.get("text")).upper()


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"text": "a", "flag": 0, "stored": "s", "hidden": "h", "unknown": 1},
        {"text": None, "flag": 1, "inner": None, "many": [], "anything": {"a": [1]}},
        {"inner": {"number": 5, "moment": MOMENT}, "many": [{"number": 1, "moment": None}, {"number": "2"}]},
        {"text": 5, "tags": ["a", None], "inner": {}},
    ],
    ids=repr,
)
def test_equal_to_marshmallow(row):
    assert compiled(Outer) is not None
    assert Outer().dump(row) == Schema.dump(Outer(), row)
    assert Outer(many=True).dump([row, row]) == Schema.dump(Outer(many=True), [row, row])


def test_hooks_and_objects_go_the_usual_way():
    class Hooked(FastDump, Schema):
        number = fields.Integer()

        @post_dump
        def wrap(self, data, **kwargs):
            return {"wrapped": data}

    assert compiled(Hooked) is None
    assert Hooked().dump({"number": 1}) == {"wrapped": {"number": 1}}

    class Row:
        number = 7

    assert Inner().dump(Row()) == {"number": 7}


@pytest.mark.parametrize("schema", [UserListSchema, JobListSchema])
def test_the_long_lists_are_compiled(schema):
    assert compiled(schema) is not None


def test_times():
    assert utc_text(MOMENT) == utc_text(MOMENT.replace(tzinfo=UTC)) == "2026-01-02T03:04:05Z"
    assert utc_text(MOMENT.replace(tzinfo=timezone(timedelta(hours=2)))) == "2026-01-02T01:04:05Z"


def test_json_of_what_orjson_refuses(app):
    with app.test_request_context():
        assert app.json.dumps({"n": 2**64}) == '{"n": 18446744073709551616}'
        assert app.json.response({"n": 2**64}).get_data(as_text=True).strip() == '{"n": 18446744073709551616}'
        assert app.json.response({"ü": "é"}).json == {"ü": "é"}
