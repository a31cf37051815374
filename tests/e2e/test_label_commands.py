"""``kizuna label``: shows, checks and translates each encoding, and refuses by name what does not fit."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from simulators.processes import kizuna

from kizuna.formats.agreement import parse_toml, read_label_document
from kizuna.formats.binding import DataReference, MetadataBinding, sign_binding, write_binding
from kizuna.formats.label_xml import read_label_xml, write_label_xml
from kizuna.formats.nitf_security import NITF_SECURITY_BYTES, parse_nitf_security
from kizuna.model.confidentiality import CategoryValues, ConfidentialityInformation, ConfidentialityLabel, LabelRole
from kizuna.model.instants import parse_instant
from kizuna.model.label import CategoryType

SPIFFING = Path(__file__).parents[1] / "vectors/spiffing"
NATO_POLICY = SPIFFING / "nato-4774-policy.xml"

NATO = ConfidentialityLabel(
    ConfidentialityInformation(
        "NATO",
        "RESTRICTED",
        (
            CategoryValues("Context", CategoryType.PERMISSIVE, ("NATO", "Releasable")),
            CategoryValues("Releasable To", CategoryType.PERMISSIVE, ("NATO", "JPN", "UKR")),
        ),
    ),
    parse_instant("2025-06-22"),
    originator="officer@nato.example",
    review=parse_instant("2030-06-22"),
)
JAPANESE = replace(NATO, information=ConfidentialityInformation("JPN", "秘"), role=LabelRole.ALTERNATIVE)
PRODUCT = """schema = "kizuna/label/1"
policy = "JPN"
classification = "秘"
originator = "JPN"
created = 2025-06-22T00:00:00Z
releasable_to = ["UKR"]
caveats = ["Pour usage officiel"]
"""


@pytest.fixture
def scene(tmp_path):
    """File of any kind with its label beside it."""
    path = tmp_path / "scene.nitf"
    path.write_bytes(b"NITF02.10")
    path.with_name("scene.nitf.label.toml").write_text(PRODUCT, "utf-8")
    return path


@pytest.fixture
def nato(tmp_path):
    """ADatP-4774 label."""
    path = tmp_path / "label.xml"
    path.write_bytes(write_label_xml(NATO))
    return path


@pytest.fixture
def bound(tmp_path, scene):
    """Signed binding of the scene, and the certificate of who signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Officer")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "officer.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    bindings = [MetadataBinding((NATO, JAPANESE), (DataReference("scene.nitf"),))]
    (tmp_path / "binding.xml").write_bytes(sign_binding(bindings, key, certificate, data={"scene.nitf": scene.read_bytes()}))
    (tmp_path / "unsigned.xml").write_bytes(write_binding(bindings))
    return tmp_path / "binding.xml"


def changed(path, old, new, name="changed.xml"):
    data = path.read_bytes()
    assert old in data
    other = path.with_name(name)
    other.write_bytes(data.replace(old, new))
    return other


# Show


def test_the_label_beside_a_file_is_shown(scene):
    done = kizuna("label", "show", scene)
    assert done.status == 0, done.err
    assert done.out.startswith("JPN 秘 REL TO UKR\n")
    assert "Pour usage officiel" in done.out
    form = kizuna("label", "show", scene, "--json").json()
    assert (form["encoding"], form["marking"], form["releasable_to"]) == ("toml", "JPN 秘 REL TO UKR", ["UKR"])
    assert kizuna("label", "show", scene.with_name("scene.nitf.label.toml"), "--json").json() | {"file": form["file"]} == form


def test_a_label_in_xml_is_shown(nato):
    done = kizuna("label", "show", nato)
    assert done.status == 0, done.err
    assert "Releasable To: NATO, JPN, UKR" in done.out
    form = kizuna("label", "show", nato, "--json").json()
    assert form["encoding"] == "adatp-4774"
    assert form["originator"] == "officer@nato.example"
    assert form["notes"] == []
    assert form["categories"][1] == {"tag": "Releasable To", "type": "permissive", "values": ["NATO", "JPN", "UKR"], "uri": None}


@pytest.mark.parametrize(
    ("language", "marking"),
    [
        ("en", "NATO RESTRICTED Releasable to Japan, Ukraine"),
        ("fr", "NATO DIFFUSION RESTREINTE Communicable a Japon, Ukraine"),
    ],
)
def test_a_policy_says_how_its_label_is_marked_in_each_language(nato, language, marking):
    done = kizuna("label", "show", nato, "--policy", NATO_POLICY, "--language", language)
    assert done.out.splitlines()[0] == marking
    assert kizuna("label", "show", nato, "--policy", NATO_POLICY, env={"LC_ALL": f"{language}_X.UTF-8"}).out.startswith(marking)


def test_a_label_is_not_marked_under_another_policy(nato):
    done = kizuna("label", "show", nato, "--policy", SPIFFING / "uk-demo.xml", "--json")
    assert done.status == 2
    assert "unknown policy NATO" in done.fault()["message"]


def test_a_binding_is_shown_with_what_it_binds_and_whether_it_is_signed(bound):
    signed = kizuna("label", "show", bound, "--json").json()
    assert signed["bound_to"] == ["scene.nitf"]
    assert (signed["signed"], signed["signer"]) == (True, None)
    assert "was not checked" in signed["notes"][0]
    assert [other["marking"] for other in signed["alternatives"]] == ["JPN 秘"]
    unsigned = kizuna("label", "show", bound.with_name("unsigned.xml"), "--json").json()
    assert unsigned["signed"] is False
    assert "unsigned" in unsigned["notes"][0]
    verified = kizuna("label", "show", bound, "--trust", bound.with_name("officer.pem"), "--json").json()
    assert verified["signer"].startswith("CN=Officer (sha256:")


def test_a_binding_that_must_be_signed_and_is_not_is_refused(bound, scene):
    trust = ("--trust", bound.with_name("officer.pem"), "--json")
    for path, said in (
        (bound.with_name("unsigned.xml"), "the binding is unsigned"),
        (changed(bound, b"RESTRICTED", b"UNCLASSIFIED"), "does not hold"),
        (scene, "is no binding and carries no signature"),
    ):
        done = kizuna("label", "show", path, *trust)
        assert done.status == 2
        assert done.out == ""
        assert said in done.fault()["message"]
    scene.write_bytes(b"NITF02.10 and more")
    assert "does not hold" in kizuna("label", "check", bound, *trust).fault()["message"]


@pytest.mark.parametrize("uri", ["../secret.txt", "/etc/hostname", "file:///etc/hostname", "http://127.0.0.1/x"])
def test_a_binding_reaches_for_nothing_outside_its_folder(tmp_path, uri):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Officer")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "secret.txt").write_bytes(b"x")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "officer.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    binding = [MetadataBinding((NATO,), (DataReference(uri),))]
    (folder / "b.xml").write_bytes(sign_binding(binding, key, certificate, data={uri: b"x"}))
    done = kizuna("label", "show", folder / "b.xml", "--trust", folder / "officer.pem", "--json")
    assert done.status == 2
    assert "does not lie in the folder of its binding" in done.fault()["message"]


def test_what_is_no_label_is_refused(tmp_path, nato):
    for data, said in (
        (b"<a/>", "is no confidentiality label"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "declares a document type"),
        (b"plain", "cannot be read"),
        (nato.read_bytes()[:200], "not XML"),
    ):
        path = tmp_path / "x.bin"
        path.write_bytes(data)
        done = kizuna("label", "show", path, "--json")
        assert done.status == 2, done.out
        assert said in done.fault()["message"]
    assert kizuna("label", "show", tmp_path / "nothing.xml").status == 2


# Check


def test_a_product_label_is_checked_against_the_ladders(scene):
    assert kizuna("label", "check", scene, "--json").json()["valid"] is True
    label = scene.with_name("scene.nitf.label.toml")
    for old, new, kind in (("秘", "SECRET", "unknown"), ('"JPN"\nclass', '"XYZ"\nclass', "unknown")):
        label.write_text(PRODUCT.replace(old, new), "utf-8")
        done = kizuna("label", "check", scene, "--json")
        assert done.status == 2
        assert [finding["kind"] for finding in done.json()["findings"]] == [kind]
    label.write_text(PRODUCT.replace('"JPN"\nclass', '"USA"\nclass').replace("秘", "SECRET"), "utf-8")
    assert kizuna("label", "check", scene, "--json").json()["findings"][0]["kind"] == "unverified"
    label.write_text(PRODUCT.replace("created", "made"), "utf-8")
    assert kizuna("label", "check", scene, "--json").fault()["field"] == "created"


def test_a_label_is_checked_under_its_policy(nato):
    assert kizuna("label", "check", nato, "--policy", NATO_POLICY).status == 0
    done = kizuna("label", "check", changed(nato, b">UKR<", b">ATLANTIS<"), "--policy", NATO_POLICY)
    assert done.status == 2
    assert "not valid" in done.out
    assert "ATLANTIS" in done.out
    done = kizuna("label", "check", nato, "--policy", SPIFFING / "uk-demo.xml", "--json")
    assert done.status == 2
    assert "unknown policy NATO" in done.json()["findings"][0]["text"]


@pytest.mark.parametrize("number", range(1, 7))
def test_the_published_examples_lack_their_instant_of_labelling(number):
    done = kizuna("label", "check", SPIFFING / f"nato-4774-17-{number}.nato", "--policy", NATO_POLICY, "--json")
    assert done.status == 2
    (form, *_others) = done.json()["findings"]
    assert form["kind"] == "form"
    assert "CreationDateTime" in form["text"]


@pytest.mark.parametrize(
    ("classification", "values", "status"),
    [
        ("SECRET", '"NATO", "Releasable"', 0),
        ("UNCLASSIFIED", '"NATO", "Releasable"', 3),
        ("SECRET", '"EAPC"', 3),
        ("HUSH", '"NATO"', 3),
    ],
)
def test_a_clearance_opens_a_label_or_not(tmp_path, nato, classification, values, status):
    clearance = tmp_path / "clearance.toml"
    clearance.write_text(
        f'schema = "kizuna/clearance/1"\npolicy = "NATO"\nclassifications = ["{classification}"]\n'
        f'[[categories]]\ntag = "Context"\ntype = "permissive"\nvalues = [{values}]\n'
        '[[categories]]\ntag = "Releasable To"\ntype = "permissive"\nvalues = ["JPN"]\n'
    )
    done = kizuna("label", "check", nato, "--policy", NATO_POLICY, "--clearance", clearance, "--json")
    assert done.status == status, done.err
    assert done.json()["valid"] is True
    assert done.json()["opens"] is (status == 0)
    assert done.json()["reasons"]


def test_a_clearance_without_a_policy_is_refused(tmp_path, nato):
    clearance = tmp_path / "clearance.toml"
    clearance.write_text('schema = "kizuna/clearance/1"\npolicy = "NATO"\nclassifications = ["SECRET"]\n')
    assert kizuna("label", "check", nato, "--clearance", clearance, "--json").fault()["field"] == "policy"


# Translate


def test_a_label_in_xml_is_written_again_as_it_is(nato):
    done = kizuna("label", "translate", nato, "--to", "adatp-4774")
    assert done.status == 0, done.err
    assert done.out.encode() == nato.read_bytes()
    form = kizuna("label", "translate", nato, "--to", "adatp-4774", "--json").json()
    assert form["text"] == done.out


def test_a_product_label_goes_to_xml_and_back(tmp_path, scene):
    refused = kizuna("label", "translate", scene, "--to", "adatp-4774", "--json")
    assert refused.status == 2
    assert "requires a review or a succession" in refused.fault()["message"]
    out = tmp_path / "out.xml"
    done = kizuna("label", "translate", scene, "--to", "adatp-4774", "--review", "2030-06-22", "--output", out)
    assert done.status == 0, done.err
    assert read_label_xml(out.read_bytes()).information.classification == "秘"
    back = kizuna("label", "translate", out, "--to", "toml")
    assert back.status == 0, back.err
    label = read_label_document(parse_toml(back.out.encode(), name="back"))
    assert label == replace(read_label_document(parse_toml(PRODUCT.encode(), name="x")), review=parse_instant("2030-06-22"))
    assert kizuna("label", "translate", scene, "--to", "toml", "--output", out, "--json").fault()["field"] == "output"


def test_the_identifier_of_a_policy_is_given_and_taken_by_name(tmp_path, scene):
    out = tmp_path / "out.xml"
    to_xml = ("--to", "adatp-4774", "--review", "2030-06-22", "--output", out)
    uri = ("--policy-uri", "urn:oid:1.2.3")
    assert kizuna("label", "translate", scene, *to_xml, *uri).status == 0
    assert read_label_xml(out.read_bytes()).information.policy_uri == "urn:oid:1.2.3"
    done = kizuna("label", "translate", out, "--to", "toml", "--json")
    assert (done.status, done.fault()["field"]) == (2, "policy_uri")
    assert kizuna("label", "translate", out, "--to", "toml", *uri).out.startswith('schema = "kizuna/label/1"\npolicy = "JPN"\n')
    done = kizuna("label", "translate", out, "--to", "adatp-4774", *uri, "--json")
    assert (done.status, done.fault()["field"]) == (2, "policy-uri")


def test_a_product_label_goes_to_nitf_where_it_fits(tmp_path, scene):
    out = tmp_path / "group"
    done = kizuna("label", "translate", scene, "--to", "nitf", "--letter", "秘=C", "--output", out)
    assert done.status == 0, done.err
    assert "FDT" in done.err
    assert len(out.read_bytes()) == NITF_SECURITY_BYTES
    assert parse_nitf_security(out.read_bytes()).releasing_instructions == "UKR"
    for options, field in (((), "classification"), (("--letter", "C"), "letter")):
        done = kizuna("label", "translate", scene, "--to", "nitf", *options, "--json")
        assert (done.status, done.fault()["field"]) == (2, field)
    label = scene.with_name("scene.nitf.label.toml")
    label.write_text(PRODUCT.replace('["UKR"]', '["UKR/HUR"]'), "utf-8")
    done = kizuna("label", "translate", scene, "--to", "nitf", "--letter", "秘=C", "--json")
    assert (done.status, done.fault()["field"]) == (2, "releasable_to")


def test_a_label_of_the_traffic_light_goes_to_its_marking(tmp_path, nato):
    path = tmp_path / "tlp.xml"
    path.write_bytes(write_label_xml(replace(NATO, information=ConfidentialityInformation("TLP", "AMBER+STRICT"))))
    done = kizuna("label", "translate", path, "--to", "tlp-2.0")
    assert (done.status, done.out) == (0, "TLP:AMBER+STRICT\n")
    assert "keep the label itself" in done.err
    assert kizuna("label", "translate", path, "--to", "tlp-stix").out.startswith("marking-definition--939a")
    done = kizuna("label", "translate", nato, "--to", "tlp-2.0", "--json")
    assert (done.status, done.fault()["field"]) == (2, "policy")


def test_a_label_in_xml_that_no_product_could_carry_is_refused_by_name(nato):
    done = kizuna("label", "translate", nato, "--to", "toml", "--json")
    assert done.status == 2
    assert done.out == ""
    assert done.fault()["hint"]


def test_a_review_is_not_overwritten(nato):
    done = kizuna("label", "translate", nato, "--to", "adatp-4774", "--review", "2031-01-01", "--json")
    assert (done.status, done.fault()["field"]) == (2, "review")


def test_what_stands_beside_the_label_of_a_binding_is_not_left_out_in_silence(bound):
    done = kizuna("label", "translate", bound, "--to", "adatp-4774")
    assert done.status == 0, done.err
    assert read_label_xml(done.out.encode()) == NATO
    assert "not translated: JPN 秘" in done.err


def test_a_label_goes_to_its_equal_under_another_policy(tmp_path):
    """spiffing's vector: TLPX:AMBER J:EU is TLP:AMBER [REGION=EU] [Additional Handling May Apply]/[Imported Data]."""
    region = CategoryValues("Jurisdiction", CategoryType.PERMISSIVE, ("EU",))
    label = replace(NATO, information=ConfidentialityInformation("TLPX", "AMBER", (region,)))
    path = tmp_path / "tlpx.xml"
    path.write_bytes(write_label_xml(label))
    policies = ("--policy", SPIFFING / "tlp-plus.xml", "--to-policy", SPIFFING / "tlp.xml")
    done = kizuna("label", "translate", path, "--to", "adatp-4774", *policies, "--output", tmp_path / "tlp.xml")
    assert done.status == 0, done.err
    assert read_label_xml((tmp_path / "tlp.xml").read_bytes()).role is LabelRole.ALTERNATIVE
    shown = kizuna("label", "show", tmp_path / "tlp.xml", "--policy", SPIFFING / "tlp.xml").out
    assert shown.startswith("TLP:AMBER [REGION=EU] [Additional Handling May Apply]/[Imported Data]\n")
    # Nothing of it equals anything of the policy of another nation.
    there = ("--policy", SPIFFING / "tlp-plus.xml", "--to-policy", NATO_POLICY, "--json")
    done = kizuna("label", "translate", path, "--to", "adatp-4774", *there)
    assert (done.status, done.out, done.fault()["field"]) == (2, "", "to-policy")
    # A label that is not valid under its own policy is not translated.
    done = kizuna("label", "translate", changed(path, b">EU<", b">ATLANTIS<"), "--to", "adatp-4774", *policies, "--json")
    assert (done.status, done.fault()["field"]) == (2, "policy")
    assert "ATLANTIS" in done.fault()["message"]


def test_both_policies_are_needed(nato):
    done = kizuna("label", "translate", nato, "--to", "adatp-4774", "--policy", nato, "--json")
    assert (done.status, done.fault()["field"]) == (2, "to-policy")


@pytest.mark.skipif(shutil.which("xmllint") is None, reason="xmllint (libxml2-utils) is not installed")
def test_what_is_translated_is_valid(tmp_path, scene):
    import kizuna as package

    out = tmp_path / "out.xml"
    kizuna("label", "translate", scene, "--to", "adatp-4774", "--review", "2030-06-22", "--output", out)
    schema = Path(package.__file__).parent / "formats/schemas/label-4774.xsd"
    done = subprocess.run(["xmllint", "--nonet", "--noout", "--schema", schema, out], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


# ---- labels that a file itself carries


def nitf_file(path, group, date=b"20250622010203"):
    """Header of a NITF file with a security group, as long as a reader of labels looks."""
    path.write_bytes(b"NITF02.1003BF01" + b"STATION".ljust(10) + date + b"Title".ljust(80) + group + b"0" * 200)
    return path


def test_the_security_group_of_a_nitf_file_is_read_as_it_was_written(tmp_path, scene):
    out = tmp_path / "group"
    kizuna("label", "translate", scene, "--to", "nitf", "--letter", "秘=C", "--output", out)
    beside = kizuna("label", "show", scene, "--json").json()
    ask = ["--letter", "秘=C", "--json"]
    alone = kizuna("label", "show", out, "--from", "nitf", "--labelled", "2025-06-22", *ask)
    assert alone.json() | {"file": "", "encoding": ""} == beside | {"file": "", "encoding": ""}
    assert alone.json()["encoding"] == "nitf"
    # What the file itself says counts, whatever lies beside it; its date is that of the file.
    nitf_file(scene, out.read_bytes())
    whole = kizuna("label", "show", scene, "--from", "nitf", *ask).json()
    assert (whole["classification"], whole["created"]) == ("秘", "2025-06-22T01:02:03Z")
    assert kizuna("label", "check", scene, "--from", "nitf", "--letter", "秘=C").status == 0
    unknown = kizuna("label", "check", scene, "--from", "nitf", "--json")
    assert (unknown.status, [each["kind"] for each in unknown.json()["findings"]]) == (2, ["unknown"])
    text = kizuna("label", "translate", scene, "--from", "nitf", "--letter", "秘=C", "--to", "toml").out
    assert read_label_document(parse_toml(text.encode(), name="x")).releasable_to == ("UKR",)


@pytest.mark.parametrize(
    ("change", "more", "field"),
    [
        (lambda group: b"X" + group[1:], (), "CLAS"),
        (lambda group: group[:3] + b"AB" + group[5:], (), "CODE"),
        (lambda group: group, ("--originator", "UKR"), "CAUT"),
        (lambda group: group, ("--letter", "X=S"), "CLAS"),
    ],
)
def test_what_a_label_cannot_say_of_a_nitf_file_is_refused_by_name(tmp_path, scene, change, more, field):
    out = tmp_path / "group"
    kizuna("label", "translate", scene, "--to", "nitf", "--letter", "秘=C", "--output", out)
    letters = () if "--letter" in more else ("--letter", "秘=C")
    done = kizuna("label", "show", nitf_file(scene, change(out.read_bytes())), "--from", "nitf", *letters, *more, "--json")
    assert (done.status, done.fault()["field"]) == (2, field)


@pytest.mark.parametrize("date", [b"2025062201----", b"20250231000000"])
def test_a_file_without_its_date_asks_when_it_was_labelled(tmp_path, scene, date):
    out = tmp_path / "group"
    kizuna("label", "translate", scene, "--to", "nitf", "--letter", "秘=C", "--output", out)
    ask = ["label", "show", nitf_file(scene, out.read_bytes(), date), "--from", "nitf", "--letter", "秘=C", "--json"]
    assert kizuna(*ask).fault()["field"] == "labelled"
    assert kizuna(*ask, "--labelled", "2025-06-23").json()["created"] == "2025-06-23T00:00:00Z"


ISM = """<report xmlns:ism="urn:us:gov:ic:ism"><part ism:classification="U" ism:ownerProducer="USA"/>
<body ism:resourceElement="true" ism:classification="S" ism:ownerProducer="USA" ism:createDate="2025-06-22"
      ism:disseminationControls="REL" ism:releasableTo="USA JPN" ism:classifiedBy="USA"/></report>"""


def test_the_marking_of_an_xml_document_in_ic_ism_is_read(tmp_path):
    path = tmp_path / "report.xml"
    path.write_text(ISM)
    form = kizuna("label", "show", path, "--from", "ic-ism", "--json").json()
    assert (form["policy"], form["classification"], form["created"]) == ("USA", "SECRET", "2025-06-22T00:00:00Z")
    assert (form["releasable_to"], form["originator"], form["encoding"]) == (["USA", "JPN"], "USA", "ic-ism")
    path.write_text(ISM.replace(' ism:classifiedBy="USA"', ""))
    ask = ["label", "show", path, "--from", "ic-ism", "--json"]
    assert kizuna(*ask).fault()["field"] == "classifiedBy"
    assert kizuna(*ask, "--originator", "USA").json()["originator"] == "USA"


@pytest.mark.parametrize(
    ("replaced", "by", "field"),
    [
        ('"REL"', '"REL NF"', "disseminationControls"),
        ('"S"', '"SECRET"', "classification"),
        ('ism:resourceElement="true"', "", "classification"),
        ("<part ", '<part ism:resourceElement="1" ', "resourceElement"),
        ('ism:createDate="2025-06-22"', "", "labelled"),
        ("<report", "<!DOCTYPE report><report", None),
    ],
)
def test_what_a_label_cannot_say_of_a_marking_in_ic_ism_is_refused_by_name(tmp_path, replaced, by, field):
    path = tmp_path / "report.xml"
    assert replaced in ISM
    path.write_text(ISM.replace(replaced, by, 1))
    done = kizuna("label", "show", path, "--from", "ic-ism", "--json")
    assert (done.status, done.fault()["field"]) == (2, field)
    assert done.fault()["hint"]


@pytest.mark.parametrize("option", ["--originator", "--labelled"])
def test_what_is_said_for_the_file_needs_a_label_inside_it(scene, option):
    value = {"--originator": "JPN", "--labelled": "2025-06-22"}[option]
    done = kizuna("label", "show", scene, option, value, "--json")
    assert (done.status, done.fault()["field"]) == (2, option.removeprefix("--"))
