"""Reads YAML that a stranger may have written: a config, a profile, a recipe, or the card of a model or data set."""

from __future__ import annotations

import re
from typing import Any

import yaml

__all__ = ["front_matter", "load_yaml"]

_LONGEST = 1_000_000
"""Characters; the longest cards, with hundreds of subsets, have a fifth of that."""

_MOST_VALUES = 100_000
"""Values with every alias written out, as most readers of the result do: nine aliases a line are 9 ** lines values."""

_DEEPEST = 50
"""Levels of nesting; nothing that is read here needs ten."""

_LONGEST_NUMBER = 10_000
"""Bits of a whole number. Python refuses to print more, even in a message."""

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)(?:^---[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)

_Sizes = dict[yaml.Node, int | None]


class _Loader(yaml.SafeLoader):
    """Refuses a whole number that cannot be printed."""

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        value: int = super().construct_yaml_int(node)
        if value.bit_length() > _LONGEST_NUMBER:
            raise yaml.constructor.ConstructorError(None, None, "found a number that is too long", node.start_mark)
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def load_yaml(text: str) -> Any:
    """Return the value of a YAML text.

    Raises:
        yaml.YAMLError: It is not valid, is nested too deeply, is too long with its aliases written out, or has a value
            that there is not, such as the 30th of February.
    """
    if len(text) > _LONGEST:
        raise yaml.YAMLError(f"it is longer than {_LONGEST:,} characters")
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, {}, 0)
        return loader.construct_document(node)
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply") from None
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        # The constructors of dates, numbers and truth values trust what the text is tagged as.
        raise yaml.YAMLError(f"it has a value that there is not: {error}") from None
    finally:
        loader.dispose()


def front_matter(text: str) -> dict[str, Any]:
    """Return the YAML mapping at the top of a card; empty if there is none.

    Cards are written by hand: a front matter that cannot be read counts as saying nothing.
    """
    found = _FRONT_MATTER.match(text.replace("\r\n", "\n"))
    try:
        content = load_yaml(found[1]) if found else None
    except yaml.YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def _size(node: yaml.Node, sizes: _Sizes, depth: int) -> int:
    """Return how many values a node has with its aliases written out.

    Raises:
        yaml.YAMLError: There are too many, it is nested too deeply, or it contains itself.
    """
    if node in sizes:
        known = sizes[node]
        if known is None:
            raise _fault("found an alias of what contains it", node)
        return known
    if depth > _DEEPEST:
        raise _fault(f"found more than {_DEEPEST} levels of nesting", node)
    sizes[node] = None
    size = 1
    if isinstance(node, yaml.CollectionNode):
        for part in node.value:
            for inner in part if isinstance(part, tuple) else (part,):
                size += _size(inner, sizes, depth + 1)
                if size > _MOST_VALUES:
                    raise _fault(f"found more than {_MOST_VALUES:,} values with all aliases written out", node)
    sizes[node] = size
    return size


def _fault(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
