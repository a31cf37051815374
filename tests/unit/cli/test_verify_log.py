"""The stand-alone verifier says what kizuna itself says, of good files and of changed ones, and needs nothing but Python."""

from __future__ import annotations

import ast
import io
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from simulators.nodes import HUR, IQPS, World

from kizuna.cli import verify_log as alone
from kizuna.errors import LogDamaged, PartnerMisbehaved
from kizuna.exchange import log_file
from kizuna.exchange.checkpoint import COSIGNATURE_TYPE, make_checkpoint, read_verifier_key, verifier_key
from kizuna.exchange.cosignature import cosign, with_cosignatures
from kizuna.exchange.envelope import seal, seal_all, unseal
from kizuna.exchange.merkle import consistency_proof, extend, inclusion_proof, leaf_data, leaf_hash, root_of
from kizuna.model.canonical import canonical
from kizuna.node.audit_files import export_log, keep_witnessed, leaf_hashes, log_key, prove_entry

PROGRAM = Path(alone.__file__)
# RFC 8032, section 7.1: secret key, public key, message, signature. TEST 1, 2, 3 and TEST SHA(abc).
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


@pytest.fixture(scope="module")
def world():
    world = World()
    world.node(IQPS)
    world.node(HUR)
    world.befriend(IQPS, HUR)
    world.agree(IQPS)
    witnessed = world.node(IQPS).store.log.checkpoint()
    world.take_in(IQPS, 1)
    world.pull(HUR, IQPS)
    keys = world.node(HUR).keys
    keep_witnessed(
        world.node(IQPS),
        HUR,
        with_cosignatures(witnessed, cosign(witnessed, world.clock.now(), *log_key(HUR, keys.public_key), keys.sign)),
    )
    return world


@pytest.fixture(scope="module")
def key(world):
    return log_key(IQPS, world.node(IQPS).keys.public_key)


@pytest.fixture(scope="module")
def witness(world):
    return log_key(HUR, world.node(HUR).keys.public_key)


def files(world):
    node = world.node(IQPS)
    return {
        "whole": b"".join(export_log(node)),
        "private": b"".join(export_log(node, private=True)),
        "part": b"".join(export_log(node, 3, 5)),
        "private part": b"".join(export_log(node, 1, 6, private=True)),
        "proof": prove_entry(node, 4),
    }


FILES = ["whole", "private", "part", "private part", "proof"]


def verdicts(data, key, witnesses=()):
    """Faulty field as kizuna names it and as the stand-alone verifier does; None for a file that verifies."""
    is_proof = data.startswith(log_file.PROOF_HEAD)
    try:
        if is_proof:
            log_file.verify_proof(data, key=key, witnesses=witnesses)
        else:
            log_file.verify_export(io.BytesIO(data), key=key, witnesses=witnesses)
        ours = None
    except LogDamaged as error:
        ours = error.field or "unnamed"
    try:
        if is_proof:
            alone.verify_proof(data, key, list(witnesses))
        else:
            alone.verify_export(alone.lines_of(io.BytesIO(data)), key, list(witnesses))
        theirs = None
    except alone.Fault as fault:
        theirs = fault.where
    return ours, theirs


@pytest.mark.parametrize("name", FILES)
def test_both_verify_what_a_node_writes(world, key, name):
    assert verdicts(files(world)[name], key) == (None, None)


@pytest.mark.parametrize("name", ["whole", "private", "part"])
def test_both_see_a_witness_and_miss_one_that_is_asked_for(world, key, witness, name):
    data = files(world)[name]
    assert verdicts(data, key, [witness]) == (None, None)
    assert verdicts(data, key, [("kizuna/NZL", witness[1])]) == ("witnesses", "witnesses")
    # A cosignature of the same name under another key is nobody's.
    assert verdicts(data, key, [(witness[0], key[1])]) == ("witnesses", "witnesses")


@pytest.mark.parametrize("name", FILES)
def test_both_want_the_key_that_was_asked_for(world, key, witness, name):
    expected = "proof.checkpoint" if name == "proof" else "header.key"
    assert verdicts(files(world)[name], witness) == (expected, expected)


def changed(data, at, how, dice):
    match how:
        case "bit":
            return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
        case "letter":
            return data[:at] + dice.choice(b'09AZaz+/=",:{}[]\\ \n\xe2').to_bytes() + data[at + 1 :]
        case "drop":
            return data[:at] + data[at + 1 :]
        case "cut":
            return data[:at]
        case _:
            return data[:at] + dice.choice(b' 0A"=,\n\r\0').to_bytes() + data[at:]


@pytest.mark.parametrize("name", FILES)
def test_no_byte_can_be_changed_and_both_name_the_same_fault(world, key, witness, name):
    """Each place of the file in turn, with all kinds of change over the five files; the dice say which bit or letter."""
    data = files(world)[name]
    dice = random.Random(name)
    witnesses = [] if name == "proof" else [witness]
    named = set()
    step = max(1, len(data) // 700)
    for at in range(dice.randrange(step), len(data), step):
        mutant = changed(data, at, dice.choice(["bit", "letter", "drop", "cut", "insert"]), dice)
        if mutant == data:
            continue
        ours, theirs = verdicts(mutant, key, witnesses)
        assert ours == theirs, (at, mutant[max(0, at - 20) : at + 20])
        assert ours is not None, (at, mutant[max(0, at - 20) : at + 20])
        named.add(ours)
    # The dice met more than one kind of fault, and named entries.
    assert len(named) > (2 if name == "proof" else 4), named


def lines_changed(data, change):
    lines = data.splitlines(keepends=True)
    change(lines)
    return b"".join(lines)


def _swap(lines):
    lines[3], lines[4] = lines[4], lines[3]


def _remove(lines):
    del lines[3]


def _double(lines):
    lines.insert(3, lines[3])


def _cut_short(lines):
    del lines[3:]


def _close_gap(lines):
    begin = json.loads(lines[0])["begin"]
    del lines[3]
    for place, line in enumerate(lines[3:], start=3):
        form = json.loads(line)
        if "index" in form:
            form["index"] = begin + place - 1
            lines[place] = alone.canonical(form) + b"\n"


def _without_checkpoints(lines):
    lines[:] = [line for line in lines if b'"checkpoint"' not in line]


def _without_the_latest(lines):
    """What is left was signed, and says nothing of the entries after it."""
    del lines[-1]


def _checkpoints_swapped(lines):
    lines[-2:] = reversed(lines[-2:])


def _fewer_entries(lines):
    head = json.loads(lines[0])
    head["end"] -= 1
    lines[0] = alone.canonical(head) + b"\n"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_swap, "entries.2.place"),
        (_remove, "entries.2.place"),
        (_double, "entries.3.place"),
        (_cut_short, "entries.2.missing"),
        (_close_gap, "entries.2.root"),
        (_without_checkpoints, "checkpoints.missing"),
        (_without_the_latest, "checkpoints.missing"),
        (_checkpoints_swapped, "checkpoints.1.place"),
        (_fewer_entries, "checkpoints.0.form"),
    ],
)
@pytest.mark.parametrize("name", ["whole", "private"])
def test_both_name_what_is_missing_or_moved(world, key, name, change, expected):
    assert verdicts(lines_changed(files(world)[name], change), key) == (expected, expected)


def forged(world, change, *, private=False):
    """Export of a log that its own key has signed twice: `change` works on the entries that the file shows."""
    node = world.node(IQPS)
    shown = list(node.store.log.entries())
    change(node, shown)
    frontier, lines = (), [log_file.header_line(node.journal.origin, node.keys.public_key, 0, len(shown), ())]
    leaves = [leaf_hash(leaf_data(salt, envelope)) for salt, envelope in ((entry.salt, entry.envelope) for entry in shown)]
    for place, (entry, leaf) in enumerate(zip(shown, leaves, strict=True)):
        frontier = extend(frontier, place, [leaf])
        line = log_file.leaf_line(place, leaf, root_of(frontier)) if private else None
        lines.append(line or log_file.entry_line(place, entry.salt, entry.envelope, root_of(frontier)))
    first = node.store.setting("witnessed-by/UKR/HUR")
    size = int(first.split("\n")[1])
    lines.append(log_file.checkpoint_line(first, consistency_proof(leaves, size)))
    origin = node.journal.origin
    head = make_checkpoint(origin, len(leaves), root_of(frontier), node.keys.sign, origin, node.keys.public_key)
    return b"".join([*lines, log_file.checkpoint_line(head, ())])


def _rewrite(place, payload):
    def change(node, shown):
        entry = shown[place]
        shown[place] = type(entry)(entry.index, entry.salt, seal(log_file.FACT_TYPE, payload, node.keys))

    return change


def _nothing(node, shown):
    pass


def test_a_fork_that_the_log_itself_signed_is_found_by_what_a_partner_cosigned_before(world, key):
    assert verdicts(forged(world, _nothing), key) == (None, None)
    fact = {"schema": "kizuna/fact/1", "recorded_at": "2025-07-01T09:00:00Z"}
    for private in (False, True):
        fork = forged(world, _rewrite(1, fact), private=private)
        assert verdicts(fork, key) == ("checkpoints.0.tree", "checkpoints.0.tree")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"schema": "kizuna/fact/1", "recorded_at": "2025-07-01T09:00:00Z"}, "entries.9.recorded_at"),
        ({"schema": "kizuna/fact/1", "recorded_at": "2035-07-01T09:00:00.000001Z", "kind": "of a later version"}, None),
        ({"schema": "kizuna/fact/1", "recorded_at": "2035-07-01T09:00:00+00:00"}, "entries.9.envelope"),
        ({"schema": "kizuna/fact/1", "recorded_at": "2035-02-30T09:00:00Z"}, "entries.9.envelope"),
        ({"schema": "kizuna/fact/1", "recorded_at": "2035-07-01"}, "entries.9.envelope"),
        ({"schema": "kizuna/fact/1", "recorded_at": 5}, "entries.9.envelope"),
        ({"schema": "kizuna/fact/1"}, "entries.9.envelope"),
        ({"schema": "kizuna/fact/2", "recorded_at": "2035-07-01T09:00:00Z"}, "entries.9.envelope"),
        (["schema"], "entries.9.envelope"),
    ],
)
def test_both_read_what_the_log_rightly_signed_alike(world, key, payload, expected):
    count = world.node(IQPS).store.log.size()
    assert count == 10
    assert verdicts(forged(world, _rewrite(count - 1, payload)), key) == (expected, expected)


@pytest.mark.parametrize("name", ["whole", "part"])
def test_a_proof_that_is_not_asked_for_is_no_proof(world, key, name):
    """Nor is one that is cut short: exactly the hashes that the two sizes call for."""
    lines = files(world)[name].splitlines(keepends=True)
    number = sum(b'"checkpoint"' in line for line in lines) - 1
    form = json.loads(lines[-1])
    for proof in ([*form["proof"], "A" * 43 + "="], form["proof"][:-1]):
        if proof != form["proof"]:
            lines[-1] = alone.canonical({**form, "proof": proof}) + b"\n"
            assert verdicts(b"".join(lines), key) == (f"checkpoints.{number}.tree",) * 2


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"batch": {"more": 1}},
        {"batch": {"index": 2}},
        {"batch": {"index": 3}},
        {"batch": {"size": 2}},
        {"batch": {"size": 0}},
        {"batch": {"path": ""}},
        {"batch": {"path": "AAAA"}},
        {"batch": {"path": 5}},
        {"batch": {"index": None}},
        {"signature": {"more": 1}},
        {"signature": {"batch": {}}},
        {"signature": {"batch": []}},
    ],
)
def test_both_refuse_an_entry_of_a_batch_that_says_more_or_another_place(changed):
    """Only what leads to the root is signed: of what is not, nothing may be there."""
    keys, salts = World().node(IQPS).keys, [bytes([number]) * 32 for number in range(3)]
    fact = canonical({"schema": "kizuna/fact/1", "recorded_at": "2025-07-01T09:00:00Z"})
    value = json.loads(seal_all(alone.FACT_TYPE, [fact] * 3, salts, keys)[1])
    (signature,) = value["signatures"]
    signature["batch"] |= changed.get("batch", {})
    signature |= changed.get("signature", {})
    envelope, refused = canonical(value), []
    try:
        unseal(envelope, keys.public_key, alone.FACT_TYPE, salt=salts[1])
    except PartnerMisbehaved:
        refused.append("kizuna")
    try:
        alone.read_fact(envelope, salts[1], [keys.public_key], "entry")
    except alone.Fault:
        refused.append("alone")
    assert refused == (["kizuna", "alone"] if changed else [])


def test_both_know_the_empty_log(world, key):
    node = world.node(IQPS)
    empty = root_of(())
    origin = node.journal.origin
    for root, expected in ((empty, None), (bytes(32), "checkpoints.0.tree")):
        note = make_checkpoint(origin, 0, root, node.keys.sign, origin, key[1])
        head = log_file.header_line(origin, key[1], 0, 0, ())
        assert verdicts(head + log_file.checkpoint_line(note, ()), key) == (expected, expected)
    # The empty tree is within every tree, and takes no proof.
    head = make_checkpoint(origin, 0, empty, node.keys.sign, origin, key[1])
    lines = b"".join(export_log(node, 0, 3)).splitlines(keepends=True)
    with_empty = [*lines[:5], log_file.checkpoint_line(head, ()), *lines[5:]]
    assert verdicts(b"".join(with_empty), key) == (None, None)
    with_empty[5] = log_file.checkpoint_line(head, [empty])
    assert verdicts(b"".join(with_empty), key) == ("checkpoints.0.tree", "checkpoints.0.tree")


def test_tree_of_the_verifier_is_that_of_kizuna():
    leaves = [leaf_hash(b"%d" % number) for number in range(20)]
    for new in range(1, 21):
        root = root_of(extend((), 0, leaves[:new]))
        for index in range(new):
            path = list(inclusion_proof(leaves[:new], index))
            assert alone.root_by_path(leaves[index], index, new, path) == root
            assert alone.root_by_path(leaves[index], index, new, [*path, root]) != root
            assert alone.root_by_path(leaves[index], index + 1, new, path) != root
            assert not path or alone.root_by_path(leaves[index], index, new, path[:-1]) is None
        for old in range(1, new + 1):
            old_root = root_of(extend((), 0, leaves[:old]))
            proof = list(consistency_proof(leaves[:new], old))
            assert alone.is_one_tree(old, old_root, new, root, proof)
            assert alone.is_one_tree(new, root, old, old_root, proof)
            assert not alone.is_one_tree(old, leaves[0] if old > 1 else root_of(()), new, root, proof)


# ---- Ed25519


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_ed25519_of_rfc_8032(secret, public, message, signature):
    public, message, signature = map(bytes.fromhex, (public, message, signature))
    assert Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)).public_key().public_bytes_raw() == public
    assert alone.is_signed(public, signature, message)
    assert not alone.is_signed(public, signature, message + b"\0")
    for at in range(64):
        assert not alone.is_signed(public, signature[:at] + bytes([signature[at] ^ 16]) + signature[at + 1 :], message)


def _openssl(public, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_ed25519_agrees_with_cryptography():
    dice = random.Random("ed25519")
    good = 0
    for _ in range(60):
        key = Ed25519PrivateKey.from_private_bytes(dice.randbytes(32))
        public, message = key.public_key().public_bytes_raw(), dice.randbytes(dice.randrange(200))
        signature = key.sign(message)
        s = int.from_bytes(signature[32:], "little")
        candidates = [
            (public, signature, message),
            (public, signature[:32] + (s + alone.L).to_bytes(32, "little"), message),  # S must be reduced
            (public, signature[:32] + bytes(32), message),
            (public, bytes([1]) + bytes(31) + signature[32:], message),
            (public, changed(signature, dice.randrange(64), "bit", dice), message),
            (changed(public, dice.randrange(32), "bit", dice), signature, message),
            (public, signature, message + b"x"),
            (public, signature[:-1], message),
            # A key of order one signs everything with S = 0, for OpenSSL too: keys are pinned, not taken from strangers.
            (bytes([1]) + bytes(31), bytes([1]) + bytes(63), message),
        ]
        for candidate in candidates:
            assert alone.is_signed(*candidate) == _openssl(*candidate), candidate
            good += alone.is_signed(*candidate)
    assert good == 120


@pytest.mark.parametrize("public", [alone.P.to_bytes(32, "little"), b"\xff" * 32, b"\x01" + bytes(30) + b"\x80", bytes(31)])
def test_ed25519_takes_no_key_that_rfc_8032_cannot_decode(public):
    assert alone.decode_point(public) is None
    assert not alone.is_signed(public, bytes(64), b"")


# ---- as a program


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-I", "-S", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        timeout=60,
        env={},
    )


@pytest.mark.parametrize("name", FILES)
def test_a_bare_interpreter_runs_it(world, key, tmp_path, name):
    path, named = tmp_path / "file", verifier_key(*key)
    path.write_bytes(files(world)[name])
    ran = run(path, "--key", named, "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    found = json.loads(ran.stdout)
    assert found["verified"]
    assert found["key"] == named
    path.write_bytes(path.read_bytes()[:-1])
    ran = run(path, "--key", named)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.startswith("NOT VERIFIED: ")


def test_it_says_that_the_key_is_the_file_s_own_word_and_who_cosigned(world, key, witness, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(files(world)["whole"])
    ran = run(path, "--witness", verifier_key(*witness, COSIGNATURE_TYPE))
    assert ran.returncode == 0
    assert "The file itself names the key" in ran.stdout
    assert verifier_key(*key) in ran.stdout
    assert "Cosigned by kizuna/UKR/HUR at 2025-07-01T09:00:" in ran.stdout
    assert "The file itself" not in run(path, "--key", verifier_key(*key)).stdout


def test_letters_that_a_terminal_lacks_are_numbers_and_nothing_steers_it(world, key, tmp_path):
    payload = {"schema": "kizuna/fact/1", "recorded_at": "2035-07-01T09:00:00Z", "recorded_by": "絆\x1b[2J", "kind": "x"}
    node = world.node(IQPS)
    envelope, salt = seal(log_file.FACT_TYPE, payload, node.keys), bytes(32)
    root = leaf_hash(leaf_data(salt, envelope))
    note = make_checkpoint(key[0], 1, root, node.keys.sign, *key)
    path = tmp_path / "file"
    path.write_bytes(log_file.proof_bytes(0, salt, envelope, (), note))
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "utf8=0", PROGRAM, path, "--key", verifier_key(*key)],
        capture_output=True,
        check=True,
        env={"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"},
    )
    assert b"\\u7d46" in ran.stdout
    assert b"\x1b" not in ran.stdout


@pytest.mark.parametrize("arguments", [(), ("missing",), ("{}", "--key", "x+y+z"), ("{}", "--witness", "x")])
def test_it_says_how_it_is_called(world, tmp_path, arguments):
    path = tmp_path / "file"
    path.write_bytes(files(world)["proof"])
    ran = run(*(argument.format(path) for argument in arguments))
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    # A proof names no key.
    assert "--key" in run(path).stderr


def test_it_imports_the_standard_library_only():
    tree = ast.parse(PROGRAM.read_text("utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
    assert not any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))
    # The oldest Python that the file promises can read it.
    ast.parse(PROGRAM.read_text("utf-8"), feature_version=(3, 9))


def test_keys_are_read_and_written_alike(key, witness):
    for pair, kind in ((key, b"\x01"), (witness, COSIGNATURE_TYPE)):
        text = verifier_key(*pair, kind)
        assert alone.write_key(*pair, kind) == text
        assert alone.read_key(text, kind) == read_verifier_key(text, kind) == pair
        for bad in (text[:-1], text + "=", text.replace("+", "-"), text.replace("kizuna", "Kizuna"), ""):
            with pytest.raises(ValueError):
                alone.read_key(bad, kind)


def test_leaves_of_a_node_are_those_of_the_file(world):
    journal = world.node(IQPS).journal
    leaves = leaf_hashes(journal, journal.store.log.size())
    for entry in journal.store.log.entries():
        assert alone.leaf_hash(entry.salt, entry.envelope) == leaves[entry.index]
