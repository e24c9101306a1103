"""YAML from outside: types as written, and limits."""

import pytest

from dagnas.errors import DagnasError
from dagnas.outside import documents


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-3", -3), ("+3", 3), ("0", 0), ("0o17", 15), ("0x1f", 31), ("1e3", 1000.0),
        ("1e-3", 0.001), ("0.5", 0.5), (".5", 0.5), ("1.", 1.0), (".inf", float("inf")),
        ("-.inf", -float("inf")), ("true", True), ("False", False), ("null", None), ("~", None),
        ("", None), ("on", "on"), ("yes", "yes"), ("2001-02-03", "2001-02-03"), ("'010'", "010"),
        ("'1:30'", "1:30"), ("x:y", "x:y"), ("[a, 1]", ["a", 1]), ("{a: {b: 1}}", {"a": {"b": 1}}),
        ("x: &a {b: 1}\ny: *a", {"x": {"b": 1}, "y": {"b": 1}}),
        ("x: &a {b: 1}\ny: {<<: *a, c: 2}", {"x": {"b": 1}, "y": {"b": 1, "c": 2}}),
        ("!!str 1", "1"), ("!!int 0x10", 16),
    ],
)  # fmt: skip
def test_values_have_the_types_that_they_look_like(text, value):
    found = documents.parse(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1:30", "1:30 is one number in YAML 1.1 and another value"),
        ("010", "010 is one number in YAML 1.1"),
        ("-08.5", "-08.5 is one number"),
        ("1_000", "1_000 is one number"),
        ("0b11", "0b11 is one number"),
        ("9" * 30, "beyond the range of numbers"),
        (str(2**63), "beyond the range of numbers"),
        ("1e999", "beyond the range of numbers"),
        ("a: 1\na: 2", "the key 'a' is given twice"),
        ("1: 2", "a key is no text"),
        ("{[a]: 2}", "a key is no text"),
        ("{{a}: 2}", "a key is no text"),
        ("!!int x", "x is no int"),
        ("!!float ''", "is no float"),
        ("!!bool x", "x is no bool"),
        ("!!timestamp 2001-99-99", "could not determine a constructor"),
        ("!!set {a}", "could not determine a constructor"),
        ("!!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("&a [*a]", "stands within what it names"),
        ("[" * 10_000, "20 levels"),
        ("[" * 1_000 + "]" * 1_000, "20 levels"),
        ("- a\n" * 20_001, "20,000 values"),
        ("x" * 300_000, "more than 262,144 characters"),
        ('"a\\0"', "a character that is none"),
        ('{"\\ud800": 1}', "a character that is none"),
        ("a: [b", "no valid YAML"),
        ("\x00", "no valid YAML"),
        ("\ud800", "no valid YAML"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(DagnasError, match=message):
        documents.parse(text)


@pytest.mark.parametrize("kind", ["[{}]", "{{<<: [{}]}}", "{{k: [{}]}}"])
def test_aliases_count_wherever_they_stand(kind):
    def lines(levels, width):
        text = ["- &a0 {k: 1}"]
        for level in range(1, levels):
            inner = ", ".join([f"*a{level - 1}"] * width)
            text.append(f"- &a{level} {kind.format(inner)}")
        return "\n".join(text)

    documents.parse(lines(4, 9))
    with pytest.raises(DagnasError, match="20,000 values"):
        documents.parse(lines(9, 9))


def test_files(tmp_path):
    (tmp_path / "a.yaml").write_text("a: 1\n")
    assert documents.read(tmp_path / "a.yaml") == {"a": 1}
    for path, message in {
        tmp_path: "no plain file",
        tmp_path / "b.yaml": "No such file",
        "/dev/zero": "no plain file",
    }.items():
        with pytest.raises(DagnasError, match=f"^{path}: {message}"):
            documents.read(tmp_path / path)
