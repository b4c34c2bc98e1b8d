"""Of keys that are not there, all are named, and what to do about each; no advice puts one on a command line."""

from homespun.api.fields import SecretKey
from operators.keys import missing, not_found

REFS = [SecretKey(name=name, key=key) for name, key in (("a", "id"), ("a", "key"), ("b", "token"), ("c", "token"))]


def test_one_that_holds_nothing_is_missing_too() -> None:
    there = {("a", "id"): "x", ("a", "key"): "", ("c", "token"): True}
    assert missing(REFS, there) == [REFS[1], REFS[2]]


def test_a_secret_that_is_not_there_is_to_be_made_and_one_that_lacks_a_key_is_to_get_it() -> None:
    reason, message = not_found([*REFS[:3]], {("b", "token"): ""})
    assert reason == "SecretNotFound"
    assert message == (
        "expected key id of Secret a, key key of Secret a, key token of Secret b in this namespace, found none;"
        " create it with `kubectl create secret generic a --from-file=id=FILE --from-file=key=FILE`;"
        " add the key token to Secret b"
    )


def test_of_two_secrets_that_are_not_there_both_are_to_be_made() -> None:
    _, message = not_found(REFS[2:], {})
    assert message.count("kubectl create secret generic") == 2
    assert "literal" not in message
