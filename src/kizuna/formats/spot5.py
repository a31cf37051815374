"""SPOT5 daily photograph scheduling instances (Bensana, Lemaitre and Verfaillie 1999), in the form of Wei and Hao's collection.

A photograph is taken by camera 1, 2 or 3, or as stereo by 1 and 3 together (13), or not at all. The file is text: the number of
photographs; a line each, ``id profit k`` and k times ``camera memory`` (what follows is not needed); the number of rules; a
line each, ``arity ids...`` and tuples of cameras that those photographs may not have together. Instances of several orbits,
whose id is above 1000, have memory for 200 units, and a photograph weighs its memory over 451, rounded; they end in a line that
names that rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.planning.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Photograph", "Rule", "Spot5", "check_spot5", "read_spot5", "selection_of"]

_UNIT = 451
_CAPACITY = 200
_ARITIES = frozenset({2, 3})
_CAPACITY_MARK = 90_000
"""Arity by which the instances of several orbits name the rule for memory."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """One photograph: what it earns, and the weight that each camera gives it."""

    profit: int
    weights: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Rule:
    """Photographs, and the cameras that they may not have together."""

    photographs: tuple[int, ...]
    forbidden: frozenset[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Spot5:
    """An instance; `capacity` None where memory is not limited."""

    photographs: Mapping[int, Photograph]
    rules: tuple[Rule, ...]
    capacity: int | None


class _Lines:
    """Lines of a file, with faults that say where."""

    def __init__(self, text: str) -> None:
        self.lines, self.number = text.splitlines(), 0

    def __bool__(self) -> bool:
        return any(line.strip() for line in self.lines[self.number :])

    def fault(self, message: Message) -> InputError:
        """Fault in the line that was read last."""
        return InputError(
            Message("line {line}: {what}", {"line": self.number, "what": message}),
            hint=Message("see docs/tasking.md for the form"),
            field=f"line {self.number}",
        )

    def next(self, least: int = 1) -> list[str]:
        """Words of the next line."""
        self.number += 1
        words = self.lines[self.number - 1].split() if self.number <= len(self.lines) else []
        if len(words) < least:
            raise self.fault(Message("got {got} numbers, expected at least {least}", {"got": len(words), "least": least}))
        return words

    def whole(self, words: Sequence[str]) -> list[int]:
        """Whole numbers."""
        try:
            return [int(word) for word in words]
        except ValueError as error:
            raise self.fault(Message("got {got}, expected whole numbers", {"got": " ".join(words)[:80]})) from error

    def memory(self, word: str) -> float:
        """A memory."""
        try:
            value = float(word)
        except ValueError:
            value = float("nan")
        if not 0 <= value < 1e9:  # noqa: PLR2004 - not NaN, not without end
            raise self.fault(Message("got {got}, expected a memory", {"got": word[:80]}))
        return value


def read_spot5(text: str, *, several_orbits: bool | None = None) -> Spot5:
    """Read an instance.

    Parameters
    ----------
    text
        The file.
    several_orbits
        Whether memory is limited; by default, where the file ends in the rule for it.

    Raises
    ------
    InputError
        If a line is not of the form, or names what is not there; its field is the line.
    """
    lines = _Lines(text)
    (count,) = lines.whole(lines.next()[:1])
    photographs: dict[int, Photograph] = {}
    for _ in range(count):
        words = lines.next(3)
        name, profit, cameras = lines.whole(words[:3])
        if name in photographs or profit < 0 or cameras < 1 or len(words) < 3 + 2 * cameras:
            raise lines.fault(Message("photograph {name} is there twice, or lacks a profit or a camera", {"name": name}))
        pairs = batched(words[3 : 3 + 2 * cameras], 2)
        weights = {lines.whole([camera])[0]: round(lines.memory(memory) / _UNIT) for camera, memory in pairs}
        photographs[name] = Photograph(profit, weights)
    (count,) = lines.whole(lines.next()[:1])
    rules = []
    marked = False
    for _ in range(count):
        numbers = lines.whole(lines.next())
        arity = numbers[0]
        if arity == _CAPACITY_MARK:
            marked = True
            continue
        if arity not in _ARITIES or len(numbers) < 1 + 2 * arity or (len(numbers) - 1) % arity:
            raise lines.fault(
                Message("got a rule of {got} numbers for {arity} photographs", {"got": len(numbers), "arity": arity})
            )
        names = tuple(numbers[1 : 1 + arity])
        if len(set(names)) < arity or any(name not in photographs for name in names):
            raise lines.fault(Message("the rule names a photograph twice, or one that is not there"))
        rules.append(Rule(names, frozenset(batched(numbers[1 + arity :], arity))))
    if lines:
        lines.number += 1
        raise lines.fault(Message("got more lines than rules"))
    limited = marked if several_orbits is None else several_orbits
    return Spot5(photographs, tuple(rules), _CAPACITY if limited else None)


def selection_of(instance: Spot5) -> tuple[Selection, list[tuple[int, int]]]:
    """The instance as a choice among options.

    Returns
    -------
    Selection
        What to choose.
    list of (photograph, camera)
        What each option is.
    """
    options = [(name, camera) for name, photograph in instance.photographs.items() for camera in photograph.weights]
    number = {option: k for k, option in enumerate(options)}
    pairs = [
        (number[name, a], number[name, b])
        for name, photograph in instance.photographs.items()
        for a in photograph.weights
        for b in photograph.weights
        if a < b
    ]
    triples = []
    for rule in instance.rules:
        for cameras in rule.forbidden:
            found = [number.get(option, -1) for option in zip(rule.photographs, cameras, strict=True)]
            if min(found) < 0:
                continue  # a camera that the photograph cannot have
            match found:
                case [a, b]:
                    pairs.append((a, b))
                case [a, b, c]:
                    triples.append((a, b, c))
                case _:
                    raise AssertionError(rule)
    uses = [] if instance.capacity is None else [(k, 0, instance.photographs[n].weights[c]) for k, (n, c) in enumerate(options)]
    selection = Selection.make(
        [instance.photographs[name].profit for name, _camera in options],
        pairs=pairs,
        triples=triples,
        uses=uses,
        capacity=[] if instance.capacity is None else [instance.capacity],
    )
    return selection, options


def check_spot5(instance: Spot5, cameras: Mapping[int, int]) -> int:
    """Profit of a plan, checked against the instance itself and nothing that the solver made of it.

    Parameters
    ----------
    instance
        What was asked.
    cameras
        Camera of each photograph that is taken.

    Raises
    ------
    InputError
        If the plan breaks a rule.
    """
    for name, camera in cameras.items():
        if name not in instance.photographs or camera not in instance.photographs[name].weights:
            raise InputError(
                Message("photograph {name} cannot be taken by camera {camera}", {"name": name, "camera": camera}), field="plan"
            )
    for rule in instance.rules:
        if tuple(cameras.get(name, 0) for name in rule.photographs) in rule.forbidden:
            raise InputError(
                Message("a rule forbids what photographs {names} have", {"names": ", ".join(map(str, rule.photographs))}),
                field="plan",
            )
    weight = sum(instance.photographs[name].weights[camera] for name, camera in cameras.items())
    if instance.capacity is not None and weight > instance.capacity:
        raise InputError(
            Message("the plan weighs {got}, and memory holds {capacity}", {"got": weight, "capacity": instance.capacity}),
            field="plan",
        )
    return sum(instance.photographs[name].profit for name in cameras)
