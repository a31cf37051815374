"""Keys change while two nodes exchange: rotated, copied from before, stolen, lost."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from simulators.coalition import introduce, labelled, published, small_tiff
from simulators.processes import begin, kizuna, serving, within

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import client_context
from kizuna.exchange.envelope import key_id_of
from kizuna.node.health import last_refused
from kizuna.wiring import KEYS, open_node


def card_of(folder, url, to):
    """Card of a node as a file."""
    done = kizuna("partner", "card", "--node", folder, env={"KIZUNA_PARTNER_URL": url})
    to.write_text(done.out, "utf-8")
    return to


def more(pair, tmp_path, seed):
    return published(pair.jpn, labelled(small_tiff(tmp_path / f"{seed}.tif", seed=seed)))[0]


def synced(pair):
    return kizuna("sync", "--node", pair.ukr, "--json")


def held(pair):
    return {p["id"] for p in kizuna("product", "list", "--node", pair.ukr, "--json").json()}


def test_a_serving_node_goes_over_to_new_keys_and_its_partner_follows(pair, tmp_path):
    first = more(pair, tmp_path, 1)
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        before = FileKeys.load(pair.jpn / KEYS)
        assert synced(pair).status == 0
        # Signed and numbered under the former key, and not fetched yet.
        second = more(pair, tmp_path, 2)
        rotated = kizuna("node", "rotate-keys", "--now", "--node", pair.jpn, "--json").json()
        after = FileKeys.load(pair.jpn / KEYS)
        assert rotated["key"] == after.key_id != before.key_id
        assert after.certificate_der != before.certificate_der
        assert sorted(path.name for path in (pair.jpn / KEYS).glob("*.pem")) == ["sealing.pem", "tls.cert.pem"]

        def shows_the_new_certificate():
            return synced(pair).status == 4

        within(10, "the former certificate is still shown", shows_the_new_certificate)
        card = card_of(pair.jpn, giver.partner_url, tmp_path / "jpn.json")
        assert kizuna("partner", "add", card, "--node", pair.ukr).status == 0
        third = more(pair, tmp_path, 3)
        assert synced(pair).status == 0
        assert held(pair) == {first, second, third}
    shown = kizuna("partner", "show", "JPN", "--node", pair.ukr, "--json").json()
    assert (shown["signing_key_sha256"], shown["former_keys"]) == (after.key_id, [before.key_id])
    for folder in (pair.jpn, pair.ukr):
        assert kizuna("audit", "verify", "--node", folder).status == 0
    log = kizuna("audit", "log", "--node", pair.jpn).out
    assert "gave up its key" in log


class Pulling:
    """A node that pulls every second, in one process all the time."""

    def __init__(self, process):
        self.pulls, self.process = [], process
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        text = ""
        for line in self.process.stdout:
            text += line
            with contextlib.suppress(json.JSONDecodeError):
                self.pulls.append(json.loads(text))
                text = ""

    def end(self):
        """Stop it; give what it complained of."""
        self.process.terminate()
        self._reader.join(20)
        return self.process.stderr.read()

    def pulled_once_more(self):
        """Waits until a pull has begun and ended after this."""
        count = len(self.pulls)
        within(60, "no more pulls", lambda: len(self.pulls) >= count + 2)


def test_keys_roll_over_between_two_nodes_that_exchange_all_the_time(pair, tmp_path):
    """Both serve and pull, each in one process from beginning to end; the keys of both change. No pull is refused."""
    with serving(pair.jpn) as giver, serving(pair.ukr) as taker:
        pair.meet(giver.partner_url)
        introduce(pair.jpn, pair.ukr, taker.partner_url)
        folders = pair.jpn, pair.ukr
        before = {folder: FileKeys.load(folder / KEYS) for folder in folders}
        with contextlib.ExitStack() as stack:
            every_second = ("sync", "--every", 1, "--json", "--node")
            ways = {folder: Pulling(stack.enter_context(begin(*every_second, folder))) for folder in folders}
            for folder in folders:
                ways[folder].pulled_once_more()
            with ThreadPoolExecutor() as pool:
                rotated = list(pool.map(lambda folder: kizuna("node", "rotate-keys", "--node", folder, "--json").json(), folders))
            assert [done["announced"] for done in rotated] == [True, True]

            def in_use():
                return [FileKeys.load(folder / KEYS).key_id for folder in folders] == [done["key"] for done in rotated]

            within(60, "the announced keys did not come into use", in_use)
            product = more(pair, tmp_path, 1)
            for folder in folders:
                ways[folder].pulled_once_more()
            assert {folder: way.end() for folder, way in ways.items()} == dict.fromkeys(folders, "")
            pulls = [pull for way in ways.values() for report in way.pulls for pull in report["partners"]]
            assert [pull for pull in pulls if "error" in pull] == []
            assert [row["id"] for pull in pulls for row in pull["received"]] == [product]
        # Taken into use by the nodes that serve, too, without a restart.
        after = {folder: FileKeys.load(folder / KEYS) for folder in folders}
        for folder, other, served in ((pair.jpn, pair.ukr, giver), (pair.ukr, pair.jpn, taker)):
            assert after[folder].certificate_der != before[folder].certificate_der
            context = client_context(after[other], after[folder].certificate_der)
            with socket.create_connection(("127.0.0.1", served.partner_port)) as plain:
                context.wrap_socket(plain, server_hostname="localhost").close()
        # All that while nobody was refused; now somebody is, and the operator sees why.
        status = ("node", "status", "--node", pair.jpn, "--json")
        assert kizuna(*status).json()["last_refused_connection"] is None
        bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", giver.partner_port)) as plain,
            bare.wrap_socket(plain) as stranger,
            contextlib.suppress(OSError),
        ):
            assert stranger.recv(1) == b""

        def is_told():
            with open_node(pair.jpn) as node:
                return last_refused(node) is not None

        within(10, "the refusal was not written down", is_told)
        assert kizuna(*status).json()["last_refused_connection"]["cause"] == "no-certificate"
        assert "it showed no certificate" in kizuna(*status[:-1]).out


def test_what_was_signed_with_a_former_key_stays_verifiable(pair, tmp_path):
    more(pair, tmp_path, 1)
    former = kizuna("audit", "verify", "--node", pair.jpn, "--json").json()["key"]
    assert kizuna("node", "rotate-keys", "--now", "--node", pair.jpn).status == 0
    present = kizuna("audit", "verify", "--node", pair.jpn, "--json").json()["key"]
    files = {name: tmp_path / name for name in ("log.jsonl", "private.jsonl", "part.jsonl", "entry.proof", "verify_log.py")}
    assert kizuna("audit", "export", files["log.jsonl"], "--node", pair.jpn).status == 0
    assert kizuna("audit", "export", files["private.jsonl"], "--private", "--node", pair.jpn).status == 0
    assert kizuna("audit", "export", files["part.jsonl"], "--from", 1, "--to", 3, "--node", pair.jpn).status == 0
    assert kizuna("audit", "prove", 2, "--out", files["entry.proof"], "--node", pair.jpn).status == 0
    files["verify_log.py"].write_text(kizuna("audit", "verifier").out, "utf-8")

    def alone(*arguments):
        return subprocess.run([sys.executable, files["verify_log.py"], *map(str, arguments)], check=False, capture_output=True)

    for name in ("log.jsonl", "private.jsonl", "part.jsonl"):
        assert kizuna("audit", "verify", files[name], "--key", present).status == 0
        assert kizuna("audit", "verify", files[name], "--key", former).status == 1
        assert alone(files[name], "--key", present).returncode == 0
        assert alone(files[name], "--key", former).returncode == 1
    proof = files["entry.proof"]
    assert kizuna("audit", "verify", proof, "--node", pair.jpn).status == 0
    assert kizuna("audit", "verify", proof, "--key", present, "--former", former).status == 0
    assert kizuna("audit", "verify", proof, "--key", present, cwd=tmp_path).status == 1
    assert alone(proof, "--key", present, "--former", former).returncode == 0
    assert alone(proof, "--key", present).returncode == 1
    # Somebody else's key cannot take the log's place by calling the log's own a former one.
    other = kizuna("audit", "verify", "--node", pair.ukr, "--json").json()["key"].partition("+")[2]
    lines = files["log.jsonl"].read_bytes().splitlines(keepends=True)
    head = json.loads(lines[0])
    from kizuna.exchange.checkpoint import verifier_key
    from kizuna.model.canonical import canonical

    with open_node(pair.ukr) as node:
        stolen = verifier_key(head["origin"], node.keys.public_key)
    assert other not in stolen
    head |= {"key": stolen, "former": [*head["former"], present]}
    (tmp_path / "forged.jsonl").write_bytes(canonical(head) + b"\n" + b"".join(lines[1:]))
    assert kizuna("audit", "verify", tmp_path / "forged.jsonl", cwd=tmp_path).status == 1
    assert alone(tmp_path / "forged.jsonl").returncode == 1


def test_another_key_that_nobody_vouches_for_is_refused_until_the_partner_is_removed(pair, tmp_path):
    pair.meet("https://127.0.0.1:1")
    card = json.loads(card_of(pair.jpn, "https://127.0.0.1:1", tmp_path / "jpn.json").read_text("utf-8"))
    from simulators.coalition import founded

    lost = founded(tmp_path / "lost", "JPN/IQPS", agreements=False)
    fresh = card_of(lost, "https://127.0.0.1:1", tmp_path / "lost.json")
    refused = kizuna("partner", "add", fresh, "--node", pair.ukr, "--json")
    assert (refused.status, refused.fault()["field"]) == (2, "signing_key")
    assert "partner remove" in refused.fault()["hint"]
    # A statement of somebody else's rotation does not help.
    assert kizuna("node", "rotate-keys", "--now", "--node", pair.ukr).status == 0
    with open_node(pair.ukr) as node:
        statements = list(node.knowledge().succession)
    (tmp_path / "forged.json").write_text(json.dumps(json.loads(fresh.read_text("utf-8")) | {"succession": statements}), "utf-8")
    assert kizuna("partner", "add", tmp_path / "forged.json", "--node", pair.ukr).status == 2
    assert kizuna("partner", "remove", "JPN/IQPS", "--node", pair.ukr).status == 0
    assert kizuna("partner", "add", fresh, "--node", pair.ukr).status == 0
    assert card["signing_key"] != json.loads(fresh.read_text("utf-8"))["signing_key"]


def test_nothing_that_a_revoked_key_signed_is_accepted_and_what_came_stays_flagged(pair, tmp_path):
    first = more(pair, tmp_path, 1)
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        assert synced(pair).status == 0
        stolen = FileKeys.load(pair.jpn / KEYS)
        more(pair, tmp_path, 2)
        # Numbered and signed, and lost on the way.
        assert kizuna("exchange", "export", "--to", "UKR", tmp_path / "lost", "--node", pair.jpn).status == 0
        short = stolen.key_id[:12]
        done = kizuna("partner", "revoke", "JPN", "--key", short, "--reason", "Stolen.", "--node", pair.ukr, "--json")
        assert done.json() == {"revoked": stolen.key_id, "party": "JPN/IQPS", "received_under_it": [first]}
        refused = synced(pair)
        assert refused.status == 1
        assert "revoked" in refused.fault()["message"]
        assert held(pair) == {first}
        # Nor does it vouch for another: that has to come by a way that is trusted.
        assert kizuna("node", "rotate-keys", "--now", "--node", pair.jpn).status == 0
        card = card_of(pair.jpn, giver.partner_url, tmp_path / "jpn.json")
        assert kizuna("partner", "add", card, "--node", pair.ukr).status == 2
        assert kizuna("partner", "remove", "JPN/IQPS", "--node", pair.ukr).status == 0
        assert kizuna("partner", "add", card, "--node", pair.ukr).status == 0
        # What the thief's key had signed and was not taken comes under the new one.
        assert synced(pair).status == 0
        assert len(held(pair)) == 2
    assert kizuna("audit", "verify", "--node", pair.ukr).status == 0
    assert "Stolen." in kizuna("audit", "log", "--node", pair.ukr).out
    again = kizuna("partner", "revoke", "JPN", "--key", short, "--reason", "Again.", "--node", pair.ukr, "--json")
    assert (again.status, again.fault()["field"]) == (2, "key")


def test_a_partner_whose_key_is_revoked_gets_what_a_stranger_gets(pair, tmp_path):
    more(pair, tmp_path, 1)
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        key = FileKeys.load(pair.ukr / KEYS).key_id
        assert kizuna("partner", "revoke", "UKR", "--key", key, "--reason", "Stolen.", "--node", pair.jpn).status == 0
        pulled = synced(pair)
        assert pulled.status == 4
        assert "does not know this node" in pulled.fault()["message"]


def test_a_copy_from_before_the_rotation_serves_nothing(pair, tmp_path):
    more(pair, tmp_path, 1)
    shutil.copytree(pair.jpn, tmp_path / "copy")
    assert kizuna("node", "rotate-keys", "--now", "--node", pair.jpn).status == 0
    shutil.rmtree(pair.jpn)
    (tmp_path / "copy").rename(pair.jpn)
    done = kizuna("node", "serve", "--node", pair.jpn, "--json")
    assert done.status == 1
    assert "not confirmed" in done.fault()["message"]


def test_a_rotation_that_was_cut_off_is_finished_by_the_next_command(pair, monkeypatch):
    """Between the commit and the word beside the keys: the log alone says which keys are in use."""
    from kizuna.node.key_change import rotate_keys

    with open_node(pair.jpn) as node:
        keys = FileKeys.load(pair.jpn / KEYS)
        fresh = keys.make_next(node.organisation, node.now())
        monkeypatch.setattr(FileKeys, "use", lambda _self, _key_id: None)
        rotate_keys(node, fresh)
        monkeypatch.undo()
    assert not (pair.jpn / KEYS / "current").exists()
    assert kizuna("audit", "verify", "--node", pair.jpn).status == 0
    assert FileKeys.load(pair.jpn / KEYS).key_id == key_id_of(fresh.public_key)


def test_a_rotation_that_was_not_committed_changes_nothing(pair):
    keys = FileKeys.load(pair.jpn / KEYS)
    with open_node(pair.jpn) as node:
        keys.make_next(node.organisation, node.now())
    assert FileKeys.load(pair.jpn / KEYS).key_id == keys.key_id
    assert kizuna("audit", "verify", "--node", pair.jpn).status == 0
    assert kizuna("node", "rotate-keys", "--now", "--node", pair.jpn).status == 0
    assert kizuna("audit", "verify", "--node", pair.jpn).status == 0


@pytest.mark.parametrize("key", ["", "abcdefgh", "0" * 64, "12"])
def test_a_key_that_the_partner_never_had_cannot_be_revoked(untouched, key):
    done = kizuna("partner", "revoke", "UKR", "--key", key, "--reason", "x", "--node", untouched, "--json")
    assert (done.status, done.fault()["field"]) == (2, "key")
