"""What holds of every command: examples in its help, JSON where it prints data, the person's language, a quick start."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import click
import pytest
from simulators.processes import begin, environment, kizuna, serving

from kizuna.cli.main import kizuna as root
from kizuna.wiring import sample_folder

HEAVY = ("numpy", "rasterio", "sarkit", "scipy", "lxml", "PIL")
# They print a script for a shell.
NOT_JSON = {"kizuna completion"}


def walk(command=root, path="kizuna"):
    """Every command with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield from walk(below, f"{path} {name}")


COMMANDS = dict(walk())
LEAVES = {path: command for path, command in COMMANDS.items() if not isinstance(command, click.Group)}


@pytest.mark.parametrize("path", COMMANDS)
def test_every_help_says_what_and_shows_an_example(path):
    command = COMMANDS[path]
    with click.Context(command, info_name=path) as context:
        text = command.get_help(context)
    assert command.help
    if path in LEAVES:
        examples = [line.strip() for line in text.partition("Examples:")[2].splitlines() if line.strip()]
        assert examples, text
        assert any(path in example for example in examples), examples


@pytest.mark.parametrize("path", LEAVES)
def test_every_example_can_be_read(path):
    """The options of each example are options of the command that it calls."""
    for line in (LEAVES[path].epilog or "").splitlines():
        words = line.split("|")[0].split(">")[0].replace('eval "$(', "").replace(')"', "").split()
        while words and "=" in words[0]:
            words.pop(0)
        if words[:1] != ["kizuna"]:
            continue
        found = max((p for p in COMMANDS if " ".join(words).startswith(p)), key=len)
        known = {option for parameter in COMMANDS[found].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize("path", sorted(set(LEAVES) - NOT_JSON))
def test_every_command_that_prints_data_can_print_json(path):
    assert "--json" in {option for parameter in LEAVES[path].params for option in parameter.opts}


@pytest.mark.parametrize(
    "arguments",
    [
        ["node", "status"],
        ["partner", "card"],
        ["partner", "list"],
        ["product", "list"],
        ["agreement", "list"],
        ["audit", "verify"],
        ["doctor"],
    ],
)
def test_what_is_printed_as_json_is_json_and_nothing_else(untouched, arguments):
    done = kizuna(*arguments, "--node", untouched, "--json")
    assert done.json()
    assert done.err == ""
    # The same for people is not JSON, but for the card, which is for the partner's program.
    plain = kizuna(*arguments, "--node", untouched)
    assert plain.status == done.status
    if arguments != ["partner", "card"]:
        with pytest.raises(json.JSONDecodeError):
            plain.json()


def test_show_and_explain_print_json(untouched):
    (product,) = kizuna("product", "list", "--node", untouched, "--json").json()
    # The beginning of an id is enough.
    shown = kizuna("product", "show", product["id"][:8], "--node", untouched, "--json").json()
    assert shown["id"] == product["id"]
    assert [release["outcome"] for release in shown["releases"]] == ["permit"]
    explained = kizuna("release", "explain", product["id"], "--to", "UKR/HUR", "--node", untouched, "--json")
    assert (explained.status, explained.json()["outcome"]) == (0, "permit")
    denied = kizuna("release", "explain", product["id"], "--to", "NZL", "--node", untouched, "--json")
    assert (denied.status, denied.json()["outcome"]) == (3, "deny")


def test_a_file_without_a_node_is_explained_by_its_label(sentinel, tmp_path):
    ask = ["release", "explain", sentinel, "--to", "UKR/HUR", "--valid-at", "2025-06-22", "--json"]
    denied = kizuna(*ask, cwd=tmp_path)
    assert (denied.status, denied.json()["outcome"]) == (3, "deny")
    fictional = ["--accept-fictional", "IQPS-HUR-2025"]
    assert kizuna(*ask, *fictional, cwd=tmp_path).status == 0
    earlier = [word if word != "2025-06-22" else "2025-04-20" for word in ask]
    assert kizuna(*earlier, *fictional, cwd=tmp_path).status == 3
    assert kizuna(*ask, *fictional, "--known-at", "2025-04-20", cwd=tmp_path).status == 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("shell", "word"), [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --no-files")])
def test_completion_scripts_are_printed(shell, word):
    done = kizuna("completion", shell)
    assert done.status == 0
    assert word in done.out
    assert "_KIZUNA_COMPLETE" in done.out


def test_completion_completes():
    """What the scripts call: the program itself, told by a variable."""
    env = {"_KIZUNA_COMPLETE": "bash_complete", "COMP_WORDS": "kizuna agreement su", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "kizuna"], env=environment(env), capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stdout.split() == ["plain,suspend"]


def test_a_french_speaker_reads_french(untouched):
    env = {"KIZUNA_LANG": "fr"}
    english = kizuna("node", "status", "--node", untouched.parent / "none")
    french = kizuna("node", "status", "--node", untouched.parent / "none", env=env)
    assert (english.status, french.status) == (2, 2)
    assert "no node lies in" in english.err
    assert "no node lies in" not in french.err
    assert "erreur" in french.err.lower()
    product = kizuna("product", "list", "--node", untouched, "--json").json()[0]["id"]
    explain = ["release", "explain", product, "--to", "NZL", "--node", untouched]
    assert kizuna(*explain, env=env).out != kizuna(*explain).out
    assert kizuna("agreement", "--help", env=env).out != kizuna("agreement", "--help").out
    # The form of JSON has no language, only its sentences have.
    asked, told = kizuna(*explain, "--json").json(), kizuna(*explain, "--json", env=env).json()
    assert asked.keys() == told.keys()
    assert asked["outcome"] == told["outcome"]
    # A language without a catalogue reads English.
    assert kizuna("node", "status", "--node", untouched.parent / "none", env={"KIZUNA_LANG": "tlh"}).err == english.err


@pytest.mark.timed
def test_serving_loads_nothing_that_only_files_need(capsys):
    program = (
        "import json, sys, time; begin = time.perf_counter(); import kizuna.web.launch;"
        f"print(json.dumps([time.perf_counter() - begin, sorted(set({HEAVY!r}) & set(sys.modules))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True, timeout=60
    )
    seconds, loaded = json.loads(done.stdout)
    assert loaded == []
    with capsys.disabled():
        click.echo(f"\n    importing what `kizuna node serve` needs took {seconds:.2f} s")


def test_help_loads_nothing_that_only_work_needs():
    program = (
        "import json, sys; from click.testing import CliRunner; from kizuna.cli.main import kizuna;"
        "codes = [CliRunner().invoke(kizuna, [*words, '--help']).exit_code for words in ([], ['sar'], ['sar', 'form'])];"
        f"print(json.dumps([codes, sorted({{*{HEAVY!r}, 'numba'}} & set(sys.modules))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == [[0, 0, 0], []]


@pytest.mark.timed
def test_a_node_answers_soon_after_it_is_started(untouched, capsys):
    begun = time.perf_counter()
    with serving(untouched):
        seconds = time.perf_counter() - begun
    with capsys.disabled():
        click.echo(f"\n    `kizuna node serve` answered after {seconds:.2f} s")
    # Well under a second on a machine with nothing else to do.
    assert seconds < 5


def test_a_pipe_whose_reader_goes_away_ends_the_command_quietly(untouched):
    with begin("product", "show", "--help") as process:
        process.stdout.close()
        process.stdout = None
        _out, err = process.communicate(timeout=30)
    assert "Traceback" not in err


def test_the_way_of_the_readme_by_commands_alone(tmp_path, tiff):
    """Two nodes, cards by hand, an agreement, a product: each step as a person types it."""
    register = sorted(sample_folder("coalition").glob("[A-Z]*.toml")) + sorted(
        sample_folder("coalition").glob("fictional/*.toml")
    )
    accept = ["--accept-fictional", "IQPS-HUR-2025", "--accept-fictional", "JPN-UKR-ISA-2024"]
    for nation, organisation in (("JPN", "IQPS"), ("UKR", "HUR")):
        folder = tmp_path / nation
        init = ["node", "init", "--nation", nation, "--organisation", organisation, "--node", folder, *accept]
        assert "Access token" in kizuna(*init).out
        assert kizuna("agreement", "add", *register, "--node", folder).out.count("Recorded") == len(register)
    card = tmp_path / "card.json"
    card.write_text(kizuna("partner", "card", "--node", tmp_path / "UKR").out)
    assert kizuna("partner", "add", card, "--node", tmp_path / "JPN").out == "Pinned UKR/HUR.\n"
    taken = kizuna("ingest", tiff, "--title", "Port, morning", "--node", tmp_path / "JPN").out
    assert "Port, morning  [JPN UNCLASSIFIED]" in taken
    assert "UKR/HUR: PERMIT" in taken
    with serving(tmp_path / "JPN") as giver:
        env = {"KIZUNA_PARTNER_URL": giver.partner_url}
        card.write_text(kizuna("partner", "card", "--node", tmp_path / "JPN", env=env).out)
        assert kizuna("partner", "add", card, "--node", tmp_path / "UKR").status == 0
        pulled = kizuna("sync", "--node", tmp_path / "UKR")
    assert pulled.status == 0
    assert "JPN/IQPS: 1 new products" in pulled.out
    shown = kizuna("product", "list", "--node", tmp_path / "UKR").out
    assert "Port, morning" in shown
    for nation in ("JPN", "UKR"):
        assert "entries verified" in kizuna("audit", "verify", "--node", tmp_path / nation).out
