"""click speaks the language of the person at the terminal too."""

from __future__ import annotations

import ast
from pathlib import Path

import click
import pytest
from simulators.processes import kizuna

from kizuna.cli.click_words import PLURALS, SENTENCES

FRENCH = {"KIZUNA_LANG": "fr"}


def test_the_sentences_are_those_of_the_click_that_is_installed():
    texts = set()
    for path in Path(click.__file__).parent.glob("*.py"):
        texts |= {node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)}
    assert {*SENTENCES, *(part for pair in PLURALS for part in pair)} <= texts


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], ["Utilisation : ", "Essayez « kizuna", "Erreur : Aucune commande 'frobnicate'."]),
        (["node", "init"], ["Erreur : Il manque l’option '--nation'."]),
        (
            ["node", "init", "--nations", "x"],
            ["Erreur : Aucune option '--nations'.", "(Vouliez-vous dire l’un de : '--nation', "],
        ),
        (["ingest", "a", "--node"], ["L’option '--node' demande un argument."]),
        (["completion", "cmd"], ["n’est pas l’un de"]),
        (["doctor", "a", "b"], ["Arguments de trop (a b)"]),
    ],
)
def test_usage_errors_are_french_in_french(arguments, words):
    done = kizuna(*arguments, env=FRENCH)
    assert done.status == 2
    for word in words:
        assert word in done.err
    assert "Error" not in done.err


def test_help_is_french_by_whichever_variable_says_so():
    asked = kizuna("node", "init", "--help", env=FRENCH).out
    assert "Utilisation : kizuna node init" in asked
    assert "Afficher ce message et terminer." in asked
    assert "Usage" not in asked
    for env in ({"LANGUAGE": "fr_CA:en"}, {"LC_ALL": "fr_FR.UTF-8"}, {"LANGUAGE": "", "LC_ALL": "", "LANG": "fr_FR.UTF-8"}):
        assert kizuna("node", "init", "--help", env=env).out == asked
    english = kizuna("node", "init", "--help").out
    assert kizuna("node", "init", "--help", env={"LANGUAGE": "en:fr", "LC_ALL": "fr_FR.UTF-8"}).out == english
    assert kizuna("node", "init", "--help", env=FRENCH | {"KIZUNA_LANG": "en", "LANGUAGE": "fr"}).out == english


def test_obligations_are_french_for_people_and_codes_for_programs():
    assert "obligation: no-onward (" in kizuna("release", "trap").out
    assert "pas de transmission ultérieure (" in kizuna("release", "trap", env=FRENCH).out
    assert '"no-onward"' in kizuna("release", "trap", "--json", env=FRENCH).out
