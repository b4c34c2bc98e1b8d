"""HuJSON becomes JSON with each character where it was."""

import json

import pytest

from homespun.clients.hujson import standard


def test_comments_and_trailing_commas_go() -> None:
    text = """
    // before
    {
      "acls": [ /* any
                   number of lines */ {"action": "accept",},
      ], // after
    }
    """
    assert json.loads(standard(text)) == {"acls": [{"action": "accept"}]}


@pytest.mark.parametrize(
    "text", ['{"a": "https://b"}', '{"a": "/* b */"}', r'{"a": "\"// b"}', '{"a": ",]"}', r'{"a": "\\"}']
)
def test_what_is_in_a_string_stays(text: str) -> None:
    assert standard(text) == text


def test_a_comma_before_a_comment_is_trailing_too() -> None:
    assert json.loads(standard("[1, // one\n /* and no more */ ]")) == [1]


def test_an_error_is_told_where_it_is() -> None:
    with pytest.raises(json.JSONDecodeError) as told:
        json.loads(standard('// policy\n{\n  /* all */ "acls": nothing\n}'))
    assert (told.value.lineno, told.value.colno) == (3, 21)
