#!/usr/bin/env python3
"""Keep the gettext catalogues: `translations.py extract | update | compile [--check]`.

extract   collect every sentence a user reads into src/kizuna/locale/kizuna.pot
update    extract, then bring each language's kizuna.po in line with it
compile   write each kizuna.mo

`compile --check` writes nothing: it fails where a committed file lags behind the code or a sentence lacks its translation.
To add a language, make its folder (`locale/uk/LC_MESSAGES/`), run `update`, and translate the new kizuna.po.
"""

import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src/kizuna"
LOCALE = SOURCE / "locale"
TEMPLATE = LOCALE / "kizuna.pot"

METHODS = [("web/templates/**.html", "jinja2"), ("**.py", "python")]
# What stands for a user's sentence: the first argument, but a rule of the rule table says its sentence second.
KEYWORDS = {"Message": None, "_": None, "gettext": None, "ngettext": (1, 2), "Rule": (2,)}
# Catalogues carry no dates: the same sentences give the same bytes.
NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)
WIDTH = 120


def extracted() -> Catalog:
    """Every sentence of the code and of the templates."""
    catalog = Catalog(project="kizuna", charset="utf-8", fuzzy=False, creation_date=NO_DATE, revision_date=NO_DATE)
    options = {"web/templates/**.html": {"newstyle_gettext": "true", "silent": "false"}}
    found = extract_from_dir(SOURCE, METHODS, options, keywords=KEYWORDS, comment_tags=())
    for name, _line, message, _comments, context in sorted(found, key=lambda entry: (entry[0], entry[1])):
        if message:
            catalog.add(message, locations=[(name, None)], context=context)
    return catalog


def po_bytes(catalog: Catalog) -> bytes:
    """Text of a catalogue."""
    stream = io.BytesIO()
    write_po(stream, catalog, width=WIDTH, sort_output=True, omit_header=False, include_lineno=False, ignore_obsolete=True)
    return stream.getvalue()


def mo_bytes(catalog: Catalog) -> bytes:
    """Compiled form of a catalogue."""
    stream = io.BytesIO()
    write_mo(stream, catalog)
    return stream.getvalue()


def languages() -> list[Path]:
    """Catalogues that are kept, one a language."""
    return sorted(folder / "kizuna.po" for folder in LOCALE.glob("*/LC_MESSAGES"))


def read(path: Path) -> Catalog:
    """Catalogue of a language; an empty one for a new language."""
    language = path.parent.parent.name
    if not path.exists():
        return Catalog(locale=language, project="kizuna", fuzzy=False, creation_date=NO_DATE, revision_date=NO_DATE)
    with path.open("rb") as stream:
        return read_po(stream, locale=language)


def updated(path: Path, template: Catalog) -> Catalog:
    """Catalogue of a language in line with the template. Nothing is guessed: a changed sentence is untranslated."""
    catalog = read(path)
    catalog.update(template, no_fuzzy_matching=True, update_creation_date=False)
    catalog.fuzzy = False
    catalog.creation_date = catalog.revision_date = NO_DATE
    return catalog


def fields(sentence: str) -> set[str]:
    """Names of the ``{fields}`` in a sentence, and of the ``%(fields)s`` of the templates."""
    named = {name for _, name, _, _ in Formatter().parse(sentence) if name}
    return named | {part.partition(")")[0] for part in sentence.split("%(")[1:]}


def has_other_fields(sentence: str | tuple[str, ...] | list[str], translation: str | tuple[str, ...] | list[str]) -> bool:
    """Whether a translation names other fields than its sentence, or than its singular and plural together.

    A language with one form for all counts (Japanese) has the fields of the plural.
    """
    if isinstance(sentence, str) or isinstance(translation, str):
        return isinstance(sentence, str) != isinstance(translation, str) or fields(str(sentence)) != fields(str(translation))
    named = set().union(*map(fields, translation))
    return named not in ([fields(sentence[-1])] if len(translation) == 1 else [set().union(*map(fields, sentence))])


def untranslated(string: str | tuple[str, ...] | list[str] | None) -> bool:
    """Whether a translation, or one of its plural forms, is missing."""
    return not string or not (isinstance(string, str) or all(string))


def faults(path: Path, template: Catalog) -> list[str]:
    """What is wrong with one language's committed files."""
    catalog = updated(path, template)
    name = path.relative_to(ROOT)
    found = [f"{name}: no translation: {m.id}" for m in catalog if m.id and untranslated(m.string)]
    found += [f"{name}: fuzzy: {m.id}" for m in catalog if m.id and m.fuzzy]
    found += [
        f"{name}: other fields than the English: {m.id}"
        for m in catalog
        if m.id and not untranslated(m.string) and has_other_fields(m.id, m.string)
    ]
    if not path.exists() or po_bytes(catalog) != path.read_bytes():
        found.append(f"{name}: lags behind the code: run scripts/translations.py update")
    compiled = path.with_suffix(".mo")
    if not compiled.exists() or mo_bytes(read(path)) != compiled.read_bytes():
        found.append(f"{compiled.relative_to(ROOT)}: lags behind: run scripts/translations.py compile")
    return found


def check() -> int:
    """Compare the committed files with what the code says."""
    template = extracted()
    found = [fault for path in languages() for fault in faults(path, template)]
    if not TEMPLATE.exists() or po_bytes(template) != TEMPLATE.read_bytes():
        found.append(f"{TEMPLATE.relative_to(ROOT)}: lags behind the code: run scripts/translations.py update")
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


def main(arguments: list[str]) -> int:
    """Do what the command line asks."""
    match arguments:
        case ["extract"]:
            TEMPLATE.write_bytes(po_bytes(extracted()))
        case ["update"]:
            template = extracted()
            TEMPLATE.write_bytes(po_bytes(template))
            for path in languages():
                path.write_bytes(po_bytes(updated(path, template)))
        case ["compile"]:
            for path in languages():
                path.with_suffix(".mo").write_bytes(mo_bytes(read(path)))
        case ["compile" | "update" | "extract", "--check"]:
            return check()
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
