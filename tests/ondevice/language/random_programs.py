"""Random programs of the language, and of what lies just outside it: the same seed gives the same programs."""

from __future__ import annotations

import random
import re

__all__ = ["random_program"]

NAMES = ["a", "b", "c", "n", "total", "price", "x"]
CLASHES = ["pi", "e", "sum", "max", "floor", "math", "round", "f", "degrees", "answer"]
"""Names that mean something else to Python, before or after an import."""
OPERATORS = ["+", "-", "*", "/", "//", "%", "+", "-", "*"]
COMPARISONS = ["<", "<=", "==", "!=", ">", ">="]
FORMATS = ["", ":.2f", ":.0f", ":,", ":,.1f", ":d", "!r", "=", ":>8.2f", ":.3f"]
IMPORTS = ["import math", "import math as m", "from math import *", "from math import pi as p, sqrt as root, floor",
           "from math import pi, e, ceil", "from math import tau as t, gcd, lcm"]  # fmt: skip
CALLS = {
    "import math": ["math.sqrt({})", "math.floor({})", "math.pi * {}", "math.ceil({})", "math.e + {}", "math.inf - {}"],
    "import math as m": ["m.sqrt({})", "m.floor({})", "m.pi + {}", "m.tau * {}"],
    "from math import *": ["sqrt({})", "floor({})", "pi * {}", "e + {}", "ceil({})", "tau - {}"],
    "from math import pi as p, sqrt as root, floor": ["root({})", "floor({})", "p * {}"],
    "from math import pi, e, ceil": ["pi * {}", "e - {}", "ceil({})"],
    "from math import tau as t, gcd, lcm": ["t * {}", "gcd(12, 18) + {}", "lcm(4, 6) * {}"],
}
_FORMS = ["({} ~ {})"] * 6 + [
    "{} ~ {} ~ {}", "round({}, @)", "round({})", "int({})", "float({})", "abs({})", "max({}, {})", "min([{}, {}, {}])",
    "sum([{}, 4])", "({} if {} ? {} else {})", "-{}", "({} or {})", "({} and not {})", "(2.5 ** @)", "(7 ** @)",
    "sum(range(5))", "sum(range(1, 9, 2))", "max(({}, {}))",
]  # fmt: skip
"""Forms of an expression: ~ is an operator, ? a comparison, @ a small number, and {} another expression."""


def random_program(seed: int, *, plain: bool = False) -> str:
    """Return a program: lines, or a function and its use, with an answer, a print or a last line.

    Args:
        seed: The same gives the same program.
        plain: Write lines that end in an answer, and nothing that has more than one meaning.
    """
    writer = _Writer(random.Random(seed))
    return writer.plain() if plain else writer.program()


class _Writer:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.calls: list[str] = []
        self.is_plain = False

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def number(self) -> str:
        kinds = [str(self.rng.randint(0, 20)), repr(round(self.rng.uniform(0, 50), self.rng.randint(0, 3)))]
        return self.rng.choice([*kinds, kinds[0], str(self.rng.randint(-99, 10**6)), "1e3", "0.1", "1_000", "True"])

    def expression(self, names: list[str], depth: int = 2) -> str:
        if depth == 0 or self.chance(0.2):
            return self.rng.choice(names) if names and self.chance(0.6) else self.number()
        form = self.rng.choice(_FORMS + self.calls * 2)
        while "~" in form:
            form = form.replace("~", self.rng.choice(OPERATORS), 1)
        form = form.replace("?", self.rng.choice(COMPARISONS)).replace("@", str(self.rng.randint(-2, 3)))
        pieces = form.split("{}")
        parts = [self.expression(names, depth - 1) for _ in pieces[1:]]
        return pieces[0] + "".join(part + piece for part, piece in zip(parts, pieces[1:], strict=True))

    def name(self) -> str:
        return self.rng.choice(CLASHES if self.chance(0.06) and not self.is_plain else NAMES)

    def lines(self, names: list[str], count: int, indent: str = "") -> list[str]:
        """Return lines that assign names, which are added to ``names``."""
        written = []
        for _ in range(count):
            name = self.name()
            value = self.expression(names)
            kind = self.rng.randrange(4 if self.is_plain else 12) if self.chance(0.8) else 12
            if kind == 0 and names:
                written.append(
                    f"{indent}{self.rng.choice(names)} {self.rng.choice(['+=', '-=', '*=', '/=', '//='])} {value}"
                )
                continue
            if kind == 1:
                test = f"{self.expression(names)} {self.rng.choice(COMPARISONS)} {self.expression(names)}"
                written += [f"{indent}if {test}:", *self.lines(list(names), 1, indent + "    "),
                            f"{indent}else:", f"{indent}    {name} = {value}"]  # fmt: skip
                continue
            if kind == 2:
                written += [f"{indent}{name} = 0", f"{indent}for i in range({self.rng.randint(0, 5)}):",
                            f"{indent}    {name} += {self.expression([*names, 'i'])}"]  # fmt: skip
            elif kind == 3:
                written += [f"{indent}{name} = {value}", f"{indent}while {name} > 3 and {name} < 40:",
                            f"{indent}    {name} = {name} / 2 - 1"]  # fmt: skip
            elif kind == 4:
                written.append(f"{indent}{name}: {self.rng.choice(['int', 'float', 'str'])} = {value}  # as said")
            elif kind == 5:
                written += [f"{indent}{name} = {value}", indent + self.shown(names or [name])]
            else:
                written.append(f"{indent}{name} = {value}")
            names.append(name)
        return written

    def shown(self, names: list[str], value: str | None = None) -> str:
        """Return a print of one number."""
        value = value or self.expression(names, 1)
        if names and not set(re.findall(r"[A-Za-z]\w*", value)) & {*names, "solution", "f", "cost"}:
            value = f"{self.rng.choice(names)} + {value}"  # a number that is written out may be passed over
        simple = value if value.isidentifier() or value.endswith(")") else f"({value})"
        return self.rng.choice([
            f"print({value})", f"print({value})", f"print('Total:', {value})", f"print('It is ' + str({value}))",
            f"print(f'It is {{{simple}{self.rng.choice(FORMATS)}}} in all')", f"print('%d of it' % {simple})",
            f"print('%.2f' % {simple})", f"print('$%s.' % {simple})", f"print('It is {{}}'.format({value}))",
            f"print('{{:.1f}} km'.format({value}))", f"print('-', {value}, sep='')", f"print({value}, end='')",
            f"print(f'{{{simple}}}{{{simple}}}')", f"print('1' + str({value}))", f"print(f'{{{simple}}}%')",
            f"print({value} > 3)", f"print('=' * 20, {value})",
        ])  # fmt: skip

    def program(self) -> str:
        head = []
        if self.chance(0.4):
            chosen = self.rng.choice(IMPORTS)
            head, self.calls = [chosen], CALLS[chosen]
        body = self.with_function() if self.chance(0.6) else self.straight()
        if head and self.chance(0.1):
            body.insert(self.rng.randint(0, 1), head.pop())
        return "\n".join(head + body)

    def plain(self) -> str:
        self.is_plain = True
        names: list[str] = []
        head = self.rng.choice([[], [], ["import math"], ["import math as m"], ["from math import *"]])
        self.calls = CALLS[head[0]] if head else []
        lines = self.lines(names, self.rng.randint(1, 6))
        return "\n".join([*head, *lines, f"answer = {self.expression(names, 3)}"])

    def straight(self) -> list[str]:
        names: list[str] = []
        written = self.lines(names, self.rng.randint(1, 5))
        result = self.expression(names)
        end = self.rng.randrange(6)
        if end < 3:
            written.append(f"answer = {result}")
            written += [self.shown([*names, "answer"])] * self.chance(0.4) + self.lines(names, 1) * self.chance(0.1)
        elif end < 5:
            written.append(self.shown(names, result))
        else:
            written.append(self.rng.choice(names) if names else "answer = 1")
        if self.chance(0.05):
            written.append(f"print({self.rng.choice(['missing', '1 / 0', 'answer / 0', '(answer := 5)'])})")
        return written

    def with_function(self) -> list[str]:
        outside: list[str] = []
        before = self.lines(outside, self.rng.randint(0, 2)) if self.chance(0.3) else []
        count = self.rng.randint(0, 3)
        parameters = self.rng.sample(NAMES, count)
        required = self.rng.randint(0, count) if self.chance(0.4) else 0
        signature = [*parameters[:required], *(f"{name}={self.number()}" for name in parameters[required:])]
        inside = [*parameters, *outside]
        function = "max" if self.chance(0.03) else self.rng.choice(["solution", "f", "cost"])
        lines = self.lines(inside, self.rng.randint(0, 3), "    ")
        if self.chance(0.06):
            lines.insert(0, f"    {self.name()} = {self.expression(NAMES)}")
        ends = [f"    return {self.expression(inside)}"] * 9 + ["    " + self.shown(inside or ["3"]), "    answer = 4"]
        definition = [f"def {function}({', '.join(signature)}):", *lines, self.rng.choice(ends)]
        return [*before, *definition, *self.uses(function, parameters, required, outside)]

    def call(self, function: str, parameters: list[str], required: int, names: list[str]) -> str:
        count = self.rng.randint(required, len(parameters)) if self.chance(0.95) else self.rng.randint(0, 3)
        given = [self.expression(names, 1) for _ in parameters[:count]]
        split = self.rng.randint(0, len(given))
        named = [f"{name}={value}" for name, value in zip(parameters[split:], given[split:], strict=False)]
        self.rng.shuffle(named)
        return f"{function}({', '.join(given[:split] + named)})"

    def uses(self, function: str, parameters: list[str], required: int, outside: list[str]) -> list[str]:
        names = list(outside)
        lines = []
        for _ in range(self.rng.randint(0, 2) if self.chance(0.4) else 0):
            name = self.name()
            lines.append(f"{name} = {self.expression(names, 1)}")
            names.append(name)
        call = self.call(function, parameters, required, names)
        made = self.rng.choice([call, call, f"{call} * 3", f"{call} / 4 - 1", f"round({call}, 1)", f"{call} + {call}",
                                f"({call} - {self.expression(names, 1)})"])  # fmt: skip
        lines += self.rng.choice([
            [self.shown(names, made)], [self.shown(names, made)], [f"result = {made}", "print('It is', result)"],
            [f"result = {made}", self.shown([*names, "result"], "result")], [f"answer = {made}"], [call], [],
            ["if __name__ == '__main__':", "    " + self.shown(names, made)], [f"answer = {made}", "print(answer * 2)"],
            [f"result = {call}", "result = result + 1", "print(result)"], [f"result = {made}"],
            [f"if __name__ == 'main':\n    {self.shown(names, '5')}", self.shown(names, made)],
        ])  # fmt: skip
        return lines
