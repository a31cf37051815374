"""The documentation keeps up: every setting, command, variable, route and room stands in it, and every link leads somewhere."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import click
import pytest
from starlette.routing import Mount, Route

import kizuna
from kizuna.cli.main import kizuna as root
from kizuna.web.exchange import partner_app
from kizuna.web.pages import people_app
from kizuna.web.stac import partner_stac
from kizuna.web.stapi import stapi_app
from kizuna.wiring import TASKING_PATH, Settings

SOURCE = Path(kizuna.__file__).parent
HOME = Path(__file__).parents[2]
DOCS = sorted((HOME / "docs").glob("*.md"))
PAGES = [HOME / "README.md", *sorted((HOME / "docs").rglob("*.md"))]
TEXT = {path.name: path.read_text("utf-8") for path in DOCS}
EVERYTHING = "\n".join(TEXT.values())
LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
CODE = re.compile(r"```.*?```", re.DOTALL)
# A tag inside GeoTIFF files, no variable.
NO_VARIABLES = {"KIZUNA_NOMINAL_POSITION"}


class _Desk:
    """Desk that is asked nothing: routes alone are looked at."""

    organisation = organisation_name = "JPN"


def leaves(command, path="kizuna"):
    if not isinstance(command, click.Group):
        yield path, command
        return
    with click.Context(command) as context:
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), f"{path} {name}")


def routes(app):
    """Methods and path of each route, as documents write it: ``/tiles/{z}`` for ``/tiles/{z:int}``."""
    for route in app.routes:
        if isinstance(route, Route):
            methods = sorted((route.methods or set()) - {"HEAD"})
            yield methods, re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
        elif isinstance(route, Mount):
            yield ["GET"], route.path + "/"


PARTNERS = [*routes(partner_app(_Desk())), *routes(partner_stac(str, _Desk(), "JPN", _Desk()))]
PARTNERS += routes(stapi_app(_Desk(), "JPN", _Desk(), TASKING_PATH))
PEOPLE = list(routes(people_app(_Desk(), {"en": str}, catalogue=_Desk(), tiles=_Desk())))


def says(text, words):
    """Whether the words stand in the text, not as a part of longer ones."""
    return re.search(rf"(?<![\w/{{]){re.escape(words)}(?![\w/{{])", text) is not None


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Settings)])
def test_every_setting_is_documented(name):
    assert f"`{name}`" in TEXT["settings.md"]


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda field: field.name)
def test_every_default_is_documented_as_it_is(field):
    (row,) = [line for line in TEXT["settings.md"].splitlines() if line.startswith(f"| `{field.name}`")]
    default = "[]" if field.default == () else field.default
    assert f"`{default}`" in row if default else "(" in row


def test_no_setting_is_documented_that_does_not_exist():
    told = {line.split("`")[1] for line in TEXT["settings.md"].splitlines() if line.startswith("| `")}
    assert told == {field.name for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize(
    "name",
    sorted(
        {name for path in SOURCE.rglob("*.py") for name in re.findall(r'"(KIZUNA_[A-Z]+)"', path.read_text("utf-8"))}
        - NO_VARIABLES
    ),
)
def test_every_variable_is_documented(name):
    assert f"`{name}`" in EVERYTHING


@pytest.mark.parametrize("path", [path for path, _command in leaves(root)])
def test_every_command_is_documented(path):
    assert says(TEXT["commands.md"], path)


def test_no_command_or_option_is_documented_that_does_not_exist():
    known = dict(leaves(root))
    for row in TEXT["commands.md"].splitlines():
        if not row.startswith("| `kizuna"):
            continue
        written = row.split("`")[1]
        found = [path for path in known if says(written, path)]
        assert found, f"no such command: {written}"
        options = {option for parameter in known[max(found, key=len)].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", written)) <= options, written


@pytest.mark.parametrize(("methods", "path"), [*PARTNERS, *PEOPLE], ids=lambda part: part if isinstance(part, str) else None)
def test_every_route_is_documented(methods, path):
    rows = [line for line in TEXT["http.md"].splitlines() if re.search(rf"{re.escape(path)}(?![\w{{])", line)]
    assert rows, path
    if not path.startswith("/static"):
        assert any(all(method in row for method in methods) for row in rows), rows


def test_the_two_listeners_share_no_route():
    assert not {path for _methods, path in PARTNERS} & {path for _methods, path in PEOPLE}


@pytest.mark.parametrize("room", sorted(path.name for path in SOURCE.iterdir() if path.is_dir() and any(path.glob("*.py"))))
def test_every_room_is_on_the_map(room):
    assert f"`{room}/`" in TEXT["architecture.md"]


def anchors(path):
    """Anchors of a page's headings, as GitHub makes them."""
    found = HEADING.findall(CODE.sub("", path.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_every_relative_link_leads_somewhere(page):
    for link in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _hash, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target == HOME or HOME in target.parents, f"{link} leads out of the repository"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_every_file_that_is_named_in_code_is_there(page):
    """Paths of the repository, written in backticks."""
    for path in re.findall(r"`((?:src|docs|tests|benchmarks|scripts)/[\w./-]+)`", page.read_text("utf-8")):
        assert (HOME / path).exists(), path
