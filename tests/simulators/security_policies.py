"""Two small security policies after the cases of ADatP-4774.1 table 12, and short ways to write labels under them."""

from __future__ import annotations

from kizuna.formats.spif import read_spif
from kizuna.model.confidentiality import CategoryValues, ConfidentialityInformation, ConfidentialityLabel
from kizuna.model.instants import parse_instant
from kizuna.model.label import CategoryType

CREATED = parse_instant("2025-06-22")

ACME_XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<SPIF xmlns="http://www.xmlspif.org/spif" schemaVersion="2.1" version="3" creationDate="20250101000000Z" originatorDN="CN=Test"
      keyIdentifier="00" privilegeId="1.3.26.0.4774.5.24.1" rbacId="1.3.26.0.4774.5.24.1">
  <securityPolicyId name="ACME" id="1.3.6.1.4.1.31778.110.1"/>
  <securityClassifications>
    <securityClassification name="PUBLIC" lacv="1" hierarchy="1" color="green"/>
    <securityClassification name="CONFIDENTIAL" lacv="2" hierarchy="2" color="#0000FF">
      <equivalentClassification policyRef="Mock Corporation" lacv="3" applied="both"/>
      <markingData xml:lang="fr" phrase="CONFIDENTIEL"><code>documentStart</code></markingData>
      <requiredCategory operation="oneOrMore">
        <categoryGroup tagSetRef="Releasable To" tagType="enumerated" enumType="permissive" lacv="100"/>
        <categoryGroup tagSetRef="Releasable To" tagType="enumerated" enumType="permissive" lacv="200"/>
      </requiredCategory>
    </securityClassification>
    <securityClassification name="INTERNAL" lacv="3" hierarchy="3">
      <markingData xml:lang="fr" phrase="INTERNE"><code>documentStart</code></markingData>
    </securityClassification>
  </securityClassifications>
  <securityCategoryTagSets>
    <securityCategoryTagSet name="Releasable To" id="1.3.6.1.4.1.31778.111.1">
      <securityCategoryTag name="Releasable To" tagType="enumerated" enumType="permissive">
        <tagCategory name="MOCK" lacv="0100">
          <equivalentSecCategoryTag policyRef="Mock Corporation" tagSetId="1.3.6.1.4.1.31778.121.1" tagType="enumerated"
                                    enumType="permissive" lacv="1000" applied="both"/>
          <markingData xml:lang="fr" phrase="MOQUER"><code>documentStart</code></markingData>
          <excludedClass>PUBLIC</excludedClass>
          <excludedClass>INTERNAL</excludedClass>
        </tagCategory>
        <tagCategory name="PHONY" lacv="200">
          <excludedClass>PUBLIC</excludedClass>
          <excludedClass>INTERNAL</excludedClass>
        </tagCategory>
        <markingQualifier markingCode="pageTop">
          <qualifier markingQualifier="REL TO " qualifierCode="prefix"/>
          <qualifier markingQualifier=", " qualifierCode="separator"/>
        </markingQualifier>
      </securityCategoryTag>
    </securityCategoryTagSet>
    <securityCategoryTagSet name="Administrative" id="1.3.6.1.4.1.31778.111.2">
      <securityCategoryTag name="Administrative" tagType="tagType7" tag7Encoding="bitSetAttributes" maxSelection="1">
        <tagCategory name="STAFF" lacv="1"><excludedClass>PUBLIC</excludedClass></tagCategory>
        <tagCategory name="FINANCE" lacv="2" obsolete="true"/>
      </securityCategoryTag>
    </securityCategoryTagSet>
    <securityCategoryTagSet name="Sensitive" id="1.3.6.1.4.1.31778.111.3">
      <securityCategoryTag name="Sensitive" tagType="restrictive">
        <tagCategory name="RED" lacv="1"><excludedClass>PUBLIC</excludedClass></tagCategory>
        <tagCategory name="BLUE" lacv="2"><excludedClass>PUBLIC</excludedClass></tagCategory>
        <markingQualifier><qualifier markingQualifier=" " qualifierCode="separator"/></markingQualifier>
      </securityCategoryTag>
    </securityCategoryTagSet>
  </securityCategoryTagSets>
  <equivalentPolicies>
    <equivalentPolicy name="Mock Corporation" id="1.3.6.1.4.1.31778.120.1" docRefURI="mock.spif"/>
  </equivalentPolicies>
</SPIF>
"""

MOCK_XML = b"""<SPIF xmlns="http://www.xmlspif.org/spif" schemaVersion="2.1">
  <securityPolicyId name="MOCK" id="1.3.6.1.4.1.31778.120.1"/>
  <securityClassifications>
    <securityClassification name="CONFIDENTIAL" lacv="3" hierarchy="1"/>
    <securityClassification name="SECRET" lacv="4" hierarchy="2"/>
  </securityClassifications>
  <securityCategoryTagSets>
    <securityCategoryTagSet name="REL" id="1.3.6.1.4.1.31778.121.1">
      <securityCategoryTag name="REL" tagType="enumerated" enumType="permissive">
        <tagCategory name="US ALL" lacv="1000"/>
        <tagCategory name="OTHERS" lacv="3000"/>
      </securityCategoryTag>
    </securityCategoryTagSet>
  </securityCategoryTagSets>
</SPIF>
"""

ACME = read_spif(ACME_XML, name="acme.xml")
MOCK = read_spif(MOCK_XML, name="mock.xml")


def information(policy, classification, *categories, mark=None):
    """What a label says; a category is ``"Tag: VALUE, VALUE"``, a restrictive begins with ``+``, an informative with a dot."""
    values = []
    for text in categories:
        tag, _, written = text.lstrip("+.").partition(": ")
        type_ = {"+": CategoryType.RESTRICTIVE, ".": CategoryType.INFORMATIVE}.get(text[0], CategoryType.PERMISSIVE)
        values.append(CategoryValues(tag, type_, tuple(written.split(", "))))
    return ConfidentialityInformation(policy, classification, tuple(values), mark)


def label(policy, classification, *categories, mark=None):
    """Label of `information`, made on 22 June 2025."""
    return ConfidentialityLabel(information(policy, classification, *categories, mark=mark), CREATED)
