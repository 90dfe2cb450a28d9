"""YAML files that people edit, read strictly: every fault is a sentence that names file, key and remedy.

PyYAML keeps the last of two equal keys, so that a bound added at the end of a wave file would silently
replace another. Files are read by LibYAML, eight times as fast as PyYAML's Python, which is read only to say
what is wrong: its sentences say more, and LibYAML's tree is built on the C stack, which nesting without end
would overflow.
"""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from asco_dagster.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)

_DEEPEST = 100  # mappings and lists within one another that LibYAML is given


class _Strict(yaml.constructor.SafeConstructor):
    """Safe YAML, each key once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping, none of whose keys is given twice."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key “{key.value}” is given twice", key.start_mark
                )
            seen.add(getattr(key, "value", None) if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


class _FastLoader(_Strict, yaml.CSafeLoader):
    """By LibYAML."""


class _Loader(_Strict, yaml.SafeLoader):
    """By PyYAML's Python."""


def _existing_date(loader: Any, node: yaml.ScalarNode) -> Any:
    """A date or an instant that exists."""
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError as error:
        raise yaml.constructor.ConstructorError(
            None, None, f"“{node.value}” is no date ({error})", node.start_mark
        ) from error


_FastLoader.add_constructor("tag:yaml.org,2002:timestamp", _existing_date)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _existing_date)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file that people edit.

    Raises:
        ConfigurationError: it cannot be read, is no UTF-8 or no YAML, gives a key twice, or nests too
            deeply.
    """
    try:
        return _content(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise _refused(path, f"it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise _refused(path, f"not valid UTF-8 at byte {error.start}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        row = f" in row {mark.line + 1}" if mark else ""
        raise _refused(path, f"not valid YAML{row}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise _refused(path, f"not valid YAML: {error}") from error
    except RecursionError as error:
        raise _refused(path, "not valid YAML: it is nested too deeply") from error


def _content(text: str) -> Any:
    try:
        return _loaded(_FastLoader if _depth(text) <= _DEEPEST else _Loader, text)
    except yaml.YAMLError:
        return _loaded(_Loader, text)


def _loaded(kind: type[_FastLoader | _Loader], text: str) -> Any:
    loader = kind(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _depth(text: str) -> int:
    """How deeply mappings and lists nest, counted up to one more than LibYAML is given."""
    depth = deepest = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        deepest = max(deepest, depth)
        if deepest > _DEEPEST:
            break
    return deepest


def validated(form: type[Model], content: Any, path: Path) -> Model:
    """The content of a file in its form.

    Raises:
        ConfigurationError: names the first key that is unknown, missing or impossible.
    """
    if not isinstance(content, dict):
        raise ConfigurationError(
            "it holds no keys",
            file=path,
            expected="a mapping of keys",
            remedy=f"Correct {path.parent.name}/{path.name}",
        )
    try:
        return form.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(
            _first_fault(error), file=path, remedy=f"Correct this key of {path.parent.name}/{path.name}"
        ) from error


def _first_fault(error: ValidationError) -> str:
    faults = error.errors()
    first = faults[0]
    key = ".".join(str(part) for part in first["loc"]) or "the file as a whole"
    message = {"extra_forbidden": "unknown key", "missing": "missing key"}.get(
        first["type"], first["msg"].removeprefix("Value error, ")
    )
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"key {key}: {message}{more}"


def _refused(path: Path, what: str) -> ConfigurationError:
    return ConfigurationError(what, file=path, remedy=f"Correct {path.parent.name}/{path.name}")
