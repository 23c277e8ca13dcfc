"""JSON Merge Patch (RFC 7396): the kinds of cases of its appendix, with values of our own."""

from typing import Any

import pytest

from shared.domain.kernel.merge_patch import merge_patch


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        pytest.param({"color": "red"}, {"color": "blue"}, {"color": "blue"}, id="replaced"),
        pytest.param({"color": "red"}, {"size": 4}, {"color": "red", "size": 4}, id="added"),
        pytest.param({"color": "red"}, {"color": None}, {}, id="removed"),
        pytest.param({"color": "red", "size": 4}, {"color": None}, {"size": 4}, id="one of two removed"),
        pytest.param({"color": ["red"]}, {"color": "blue"}, {"color": "blue"}, id="a list by a text"),
        pytest.param({"color": "red"}, {"color": ["blue"]}, {"color": ["blue"]}, id="a text by a list"),
        pytest.param(
            {"box": {"lid": "x", "side": 1}},
            {"box": {"lid": "y", "top": None}},
            {"box": {"lid": "y", "side": 1}},
            id="inside, where what is not there is removed",
        ),
        pytest.param({"box": {"lid": "x"}}, {"box": {"lid": None}}, {"box": {}}, id="the last inside"),
        pytest.param({"rows": [{"n": 1}, 2]}, {"rows": [{"n": None}]}, {"rows": [{"n": None}]}, id="lists as they are"),
        pytest.param({"rows": [1, 2]}, {"rows": {"first": 3}}, {"rows": {"first": 3}}, id="a list by an object"),
        pytest.param([1, 2], [3], [3], id="a list by a list"),
        pytest.param({"a": 1}, [3], [3], id="an object by a list"),
        pytest.param({"a": 1}, None, None, id="all removed"),
        pytest.param({"a": 1}, "text", "text", id="an object by a text"),
        pytest.param({"kept": None}, {"a": 1}, {"kept": None, "a": 1}, id="a null that was there stays"),
        pytest.param([1, 2], {"a": "b", "c": None}, {"a": "b"}, id="a list by a patch"),
        pytest.param({}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}, id="nulls make nothing"),
        pytest.param(3, {}, {}, id="a number by an empty patch"),
        pytest.param({"a": {"b": 1}}, {}, {"a": {"b": 1}}, id="an empty patch"),
    ],
)
def test_a_patch(target: Any, patch: Any, result: Any) -> None:
    before = repr(target)
    assert merge_patch(target, patch) == result
    assert repr(target) == before
