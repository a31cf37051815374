"""Settings: the file, over it the environment, over both an option; what is not known or not safe is refused."""

from __future__ import annotations

import pytest
from simulators.coalition import founded
from simulators.processes import kizuna, serving

from kizuna.wiring import sample_folder

# Linux answers on all of 127.0.0.0/8, so a host tells where a setting came from and every port can be a free one.
FILE, VARIABLE, OPTION = "127.0.0.2:0", "127.0.0.3:0", "127.0.0.4:0"


@pytest.fixture
def node(tmp_path):
    return founded(tmp_path / "node", "JPN", agreements=False)


def write(node, **settings):
    (node / "kizuna.toml").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))


@pytest.mark.parametrize("name", ["partner", "people"])
def test_an_option_stands_over_the_environment_and_that_over_the_file(node, name):
    def host(*options, **environment):
        with serving(node, *options, env=environment) as served:
            return (served.partner_url if name == "partner" else served.people_url).split("/")[2].partition(":")[0] + ":0"

    setting, variable = f"{name}_listen", f"KIZUNA_{name.upper()}_LISTEN"
    write(node, **{setting: f'"{FILE}"'})
    # `serving` sets both variables, so that the file alone is asked by an empty environment below.
    assert host(**{variable: VARIABLE}) == VARIABLE
    assert host(f"--{name}-listen", OPTION, **{variable: VARIABLE}) == OPTION


def test_the_file_stands_over_the_default(node):
    default = kizuna("partner", "card", "--node", node.parent / "node", env={"KIZUNA_PARTNER_LISTEN": "127.0.0.1:8443"}).json()
    assert default["url"] == "https://127.0.0.1:8443"
    write(node)
    assert kizuna("partner", "card", "--node", node).json()["url"] == "https://127.0.0.1:8443"
    write(node, partner_listen='"127.0.0.2:9"')
    assert kizuna("partner", "card", "--node", node).json()["url"] == "https://127.0.0.2:9"
    write(node, partner_listen='"127.0.0.2:9"', partner_url='"https://kizuna.example"')
    assert kizuna("partner", "card", "--node", node).json()["url"] == "https://kizuna.example"
    variable = {"KIZUNA_PARTNER_URL": "https://other.example"}
    assert kizuna("partner", "card", "--node", node, env=variable).json()["url"] == "https://other.example"


def test_a_node_that_takes_any_port_has_no_address_on_its_card(node):
    assert kizuna("partner", "card", "--node", node).json()["url"] == ""


def test_the_nodes_folder_may_stand_in_the_environment(node):
    assert kizuna("node", "status", "--json", env={"KIZUNA_NODE": str(node)}).json()["party"] == "JPN"
    assert kizuna("node", "status", "--json", "--node", node, env={"KIZUNA_NODE": "/nowhere"}).json()["party"] == "JPN"


def test_options_of_init_are_kept_in_the_file(tmp_path):
    node = tmp_path / "node"
    options = ["--people-listen", OPTION, "--accept-fictional", "A", "--accept-fictional", "B", "--accept-ladder", "USA"]
    kizuna("node", "init", "--nation", "JPN", *options, "--node", node, env={"KIZUNA_PARTNER_LISTEN": VARIABLE})
    text = (node / "kizuna.toml").read_text()
    assert f'people_listen = "{OPTION}"' in text
    assert f'partner_listen = "{VARIABLE}"' in text
    assert 'accept_fictional = ["A", "B"]' in text
    assert 'accept_ladders = ["USA"]' in text


@pytest.mark.parametrize(
    ("settings", "field", "words"),
    [
        ({"partner_lisen": '"127.0.0.1:1"'}, "partner_lisen", ["kizuna.toml", "unknown setting"]),
        ({"partner_listen": "8443"}, "partner_listen", ["kizuna.toml", "8443", "a text"]),
        ({"accept_fictional": '{ a = "b" }'}, "accept_fictional", ["kizuna.toml", "a list of texts"]),
        ({"partner_listen": '"8443"'}, "partner_listen", ["host:port"]),
        ({"partner_listen": '"127.0.0.1:70000"'}, "partner_listen", ["70000"]),
        ({"people_listen": '"0.0.0.0:8080"'}, "people_listen", ["0.0.0.0", "loopback"]),
        ({"people_listen": '"kizuna.example:8080"'}, "people_listen", ["loopback"]),
        ({"people_listen": "["}, None, ["kizuna.toml"]),
    ],
)
def test_a_setting_that_cannot_hold_is_refused_by_name(node, settings, field, words):
    write(node, **settings)
    done = kizuna("node", "serve", "--node", node, "--json", timeout_s=20)
    assert (done.status, done.out) == (2, "")
    fault = done.fault()
    assert fault["field"] == field
    assert fault["hint"]
    for word in words:
        assert word in fault["message"], fault


@pytest.mark.parametrize("how", ["variable", "option"])
def test_people_are_never_served_in_clear_beyond_this_machine(node, how):
    env = {"KIZUNA_PEOPLE_LISTEN": "0.0.0.0:0"} if how == "variable" else {}
    options = ["--people-listen", "0.0.0.0:0"] if how == "option" else []
    done = kizuna("node", "serve", *options, "--node", node, "--json", env=env, timeout_s=20)
    assert (done.status, done.fault()["field"]) == (2, "people_listen")


def test_lists_are_separated_by_commas_in_the_environment(node, tmp_path):
    file = sample_folder("coalition") / "fictional" / "IQPS-HUR-2025.toml"
    write(node)
    left = kizuna("agreement", "add", file, "--node", node, "--json")
    assert (left.status, left.json()) == (0, [])
    assert "not accepted by name" in left.err
    taken = kizuna("agreement", "add", file, "--node", node, "--json", env={"KIZUNA_ACCEPT_FICTIONAL": "X, IQPS-HUR-2025"})
    assert taken.json() == [{"id": "IQPS-HUR-2025", "version": 2}]
