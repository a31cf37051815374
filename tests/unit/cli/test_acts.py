"""Each command has its act, and only a role that allows it gets past the option that names the node."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from kizuna.cli.acts import act_of
from kizuna.cli.main import kizuna as root
from kizuna.cli.terminal import node_option
from kizuna.errors import InputError
from kizuna.model.parties import parse_party
from kizuna.node.access import Person, give_access
from kizuna.wiring import Settings, make_node, open_node


def leaves(command, path=""):
    if not isinstance(command, click.Group):
        yield path.strip(), command
        return
    with click.Context(command) as context:
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), f"{path} {name}")


WITH_NODE = [path for path, command in leaves(root) if any(p.name == "folder" and "--node" in p.opts for p in command.params)]


@pytest.mark.parametrize("path", WITH_NODE)
def test_each_command_that_opens_a_node_has_its_act(path):
    assert act_of(path) is not None or path in {"node init", "release export-cedar"}


def test_the_table_names_no_command_that_does_not_exist():
    from kizuna.cli.acts import _ACTS

    assert set(_ACTS) <= {path for path, _ in leaves(root)} | {"completion bash", "completion zsh", "completion fish"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("acts") / "node"
    make_node(folder, parse_party("JPN/IQPS"), Settings("127.0.0.1:0", "127.0.0.1:0"))
    with open_node(folder) as node:
        return folder, {role: give_access(node, Person(role, role), "")[1] for role in ("analyst", "officer", "operator")}


@click.group()
def kizuna():
    """Group of a command that nobody has entered into the table."""


@kizuna.command()
@node_option
def stray(folder):
    """Do something."""
    click.echo("done")


def test_a_command_without_an_act_is_nobodys_by_a_credential(made):
    folder, tokens = made
    assert CliRunner().invoke(kizuna, ["stray", "--node", str(folder)]).output == "done\n"
    for token in tokens.values():
        done = CliRunner().invoke(kizuna, ["stray", "--node", str(folder)], env={"KIZUNA_TOKEN": token})
        assert isinstance(done.exception, InputError)
        assert done.exception.field == "KIZUNA_TOKEN"
