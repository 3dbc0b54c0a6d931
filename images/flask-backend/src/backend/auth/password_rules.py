"""Which passwords are accepted, after ASVS 5 (6.2): long enough and not easily guessed; any characters will do."""

from __future__ import annotations

from zxcvbn import zxcvbn

from backend.config import Settings
from backend.problems import Problem

# What an attacker who knows the usual lists, names and keyboard walks needs at least.
MIN_GUESSES = 10**8
# The estimate's time grows with the square of the length; what is longer is judged by its beginning.
JUDGED_LENGTH = 64
_CONTEXT = ("triptych", "admin", "administrator", "password")


def check_password(settings: Settings, password: str, *personal: str, field: str = "password") -> None:
    """Refuse a new password that is too short or too easy to guess.

    Args:
        personal: what a guesser would try first: e-mail address, name.
        field: name of the body's field, for the message.

    Raises:
        Problem: 422.
    """
    if len(password) < settings.min_password_length:
        message = f"Shorter than minimum length {settings.min_password_length}."
        raise Problem(422, "The password is too short.", errors={"json": {field: [message]}})
    # Alpha is for trying things out with passwords that are easy to type.
    if not settings.is_alpha and _guesses(password, personal) < MIN_GUESSES:
        message = "Too easy to guess: it is close to a common password, a name or a pattern."
        raise Problem(422, "The password is too easy to guess.", errors={"json": {field: [message]}})


def _guesses(password: str, personal: tuple[str, ...]) -> float:
    words = [*_CONTEXT, *personal, *(part for text in personal for part in text.replace("@", " ").split())]
    return zxcvbn(password[:JUDGED_LENGTH], user_inputs=words)["guesses"]
