"""HuJSON becomes JSON with each character where it was."""

import json

import pytest

from homespun.clients.hujson import comments, fields, standard


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


def test_a_comment_is_found_and_none_in_a_string_is() -> None:
    text = '{"a": "// no", /* b */ "c": 1} // d\n'
    assert [text[start:end] for start, end in comments(text)] == ["/* b */", "// d"]


def test_fields_are_found_where_their_values_begin_in_whatever_case() -> None:
    plain = ' {"ACLs" : [{"x": "}"}],\r\n"e\\u0301": {}, "":null}'
    assert {name: plain[at] for name, at in fields(plain, 1).items()} == {"acls": "[", "e\u0301": "{", "": "n"}
    assert fields("{ }", 0) == {}


def test_a_field_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="expected ACLs once, found it twice"):
        fields('{"acls": [], "ACLs": []}', 0)
