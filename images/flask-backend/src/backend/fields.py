"""Schema parts that every domain shares: strict text, strict JSON bodies."""

from __future__ import annotations

import unicodedata
from typing import ClassVar

from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import RAISE, Schema, ValidationError, fields, validate
from webargs.flaskparser import FlaskParser

from backend.dumping import FastDump, utc_text

_CONTROL = {"Cc", "Cs"}
# Marks of direction and other characters without a shape, and separators of lines: with them a name looks like another.
_MARKS = {"Cf", "Zl", "Zp"}
# Between letters of Persian and of Indian scripts, and between the parts of an emoji.
_JOINERS = "\u200c\u200d"
# Letters and symbols by their category, and blank: fillers of Hangul, and the pattern of Braille without a dot.
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"


def no_control_characters(text: str) -> None:
    """Refuse NUL, other control characters and lone surrogates: no database stores them all alike."""
    if any(unicodedata.category(character) in _CONTROL for character in text):
        raise ValidationError("Must not contain control characters.")


def no_control_characters_in_lines(text: str) -> None:
    """As `no_control_characters`, for text with line breaks and tabs."""
    no_control_characters(text.translate(dict.fromkeys(map(ord, "\t\r\n"))))


def no_marks(text: str) -> None:
    """Refuse what nobody sees and what turns the text around."""
    if any(unicodedata.category(character) in _MARKS and character not in _JOINERS for character in text):
        raise ValidationError("Must not contain invisible characters or marks of direction.")


def not_blank(text: str) -> None:
    """Refuse text of which nothing can be seen; that it is not empty is for the length to say."""
    if text and not any(unicodedata.category(sign)[0] in "LNPS" and sign not in _BLANKS for sign in text):
        raise ValidationError("Must have a visible character.")


def free_text(minimum: int, maximum: int, **options) -> fields.String:
    """A string field of `minimum` to `maximum` characters without control characters: passwords, search terms."""
    length = validate.Length(min=minimum, max=maximum)
    extra = options.pop("validate", [])
    return fields.String(validate=[length, no_control_characters, *extra], **options)


def text(minimum: int, maximum: int, **options) -> fields.String:
    """As `free_text`, for what people read: names, comments. What looks empty is empty."""
    extra = options.pop("validate", [])
    return free_text(minimum, maximum, validate=[no_marks, *([not_blank] if minimum else []), *extra], **options)


def fold_email(email: str) -> str:
    """The form in which an address is stored and compared: letter case never makes a second account."""
    return unicodedata.normalize("NFC", email.strip()).casefold()


class UtcDateTime(fields.DateTime):
    """RFC 3339 in UTC, from the zoneless times that the database stores."""

    def _serialize(self, value, attr, obj, **kwargs):
        if value is None:
            return None
        return utc_text(value)


class Flag(fields.Boolean):
    """A boolean, strictly; the database stores 0 and 1."""

    def _serialize(self, value, attr, obj, **kwargs):
        return bool(value)

    def _deserialize(self, value, attr, data, **kwargs):
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class StrictSchema(FastDump, Schema):
    """Unknown fields are errors."""

    class Meta:
        unknown = RAISE


class StrictParser(FlaskParser):
    """Unknown query parameters are errors, and every body that is no JSON is a 400."""

    DEFAULT_UNKNOWN_BY_LOCATION: ClassVar[dict] = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE}

    def load_json(self, req, schema):
        try:
            return super().load_json(req, schema)
        except (ValueError, RecursionError) as error:
            # Numbers of thousands of digits and endless nesting escape the usual handling.
            self._handle_invalid_json_error(error, req)


class Blueprint(SmorestBlueprint):
    """A flask-smorest blueprint that parses strictly."""

    ARGUMENTS_PARSER = StrictParser()

    def arguments(self, schema, **options):
        # One schema object for all requests: loading changes nothing in it, making one costs as much as loading.
        return super().arguments(schema() if isinstance(schema, type) else schema, **options)
