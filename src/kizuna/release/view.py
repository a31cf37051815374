"""The register as it was known at an instant, made ready to be asked: facts become the rows that the rules look at.

A view holds for all instants between two recordings. Between two dates that any agreement names the states of the agreements
do not change either: a `Question` (who asks whom, what for, between which dates) is compiled once and asked of many products.
Nothing here decides: that is the rules' doing (`kizuna.release.decide`).
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kizuna.model.instants import Instant
from kizuna.model.label import CategoryType
from kizuna.model.parties import NATIONS, nation_of
from kizuna.release.agreements import AgreementKind, State, Term
from kizuna.release.columns import ALL, ALWAYS, NEVER, NO, PERHAPS, YES, ArticleRow, ProductRow, QuestionRow, micros
from kizuna.release.decision import ObligationKind
from kizuna.release.lineage import NO_PARENTS, Dominated, common_values, dates, dominate, lineage_of
from kizuna.release.markings import UNCLASSIFIED
from kizuna.release.measured import millimetres

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kizuna.model.label import Category, Label
    from kizuna.model.parties import Party
    from kizuna.model.regions import Placement
    from kizuna.release.agreements import Agreement, Article, Equivalence
    from kizuna.release.decision import Decision
    from kizuna.release.plan import Scope
    from kizuna.release.register import Register
    from kizuna.release.subject import Subject

__all__ = [
    "APPLICABLE",
    "NO_PURPOSE",
    "Consents",
    "Entry",
    "EquivalenceFault",
    "LabelColumns",
    "Question",
    "View",
    "Vocabulary",
    "amount",
    "find_equivalence",
    "view_of",
]

APPLICABLE = frozenset(
    {
        ObligationKind.DETECTED_ONLY,
        ObligationKind.CAVEAT,
        ObligationKind.REMARK,
        ObligationKind.NO_ONWARD,
        ObligationKind.PURPOSE,
        ObligationKind.RESOLUTION,
        ObligationKind.AREA,
    }
)
"""Obligations that this version can apply. An article that asks for another one is not used where it would have to be applied."""

NO_PURPOSE = ""
"""Stands for a question that states no purpose: the purposes of the article then go with the product, as an obligation."""

type Consents = tuple[tuple[Party, tuple[str, ...]], ...]

_MOST_VIEWS = 64
_MOST_LABELS = 100_000
_MICROSECONDS_AN_HOUR = 3_600_000_000
_MILLIMETRES_A_METRE = 1_000
_FIRST, _LAST = Instant(datetime(1, 1, 1, tzinfo=UTC)), Instant(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
# Even an unknown instant lies in a period that is not limited.
_WITHOUT_LIMIT = (ALWAYS, NEVER + 1)


class Vocabulary:
    """Bits of masks: each word gets the next bit when it is first met. `bits` holds them, and is only read."""

    __slots__ = ("_lock", "bits")

    def __init__(self, words: Iterable[object] = ()) -> None:
        self.bits: dict[object, int] = {}
        self._lock = threading.Lock()
        for word in words:
            self.bit(word)

    def bit(self, word: object) -> int:
        """Mask of one word."""
        found = self.bits.get(word)
        if found is None:
            with self._lock:
                found = self.bits.setdefault(word, 1 << len(self.bits))
        return found

    def mask(self, words: Iterable[object]) -> int:
        """Mask of several words."""
        mask = 0
        for word in words:
            mask |= self.bit(word)
        return mask

    def words(self) -> Sequence[object]:
        """Words in the order of their bits."""
        return tuple(self.bits)

    def __len__(self) -> int:
        return len(self.bits)


@dataclass(frozen=True, eq=False, slots=True)
class LabelColumns:
    """Columns of one label, but for its dates: one object for all labels of a view that say the same."""

    policy: int
    rank: int
    marking: int
    releasable: int
    needs: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An article that a question looks at."""

    agreement: Agreement
    article: Article
    row: ArticleRow


class Question:
    """Who asks whom, what for, between two dates: the articles to look at, and what the two nations protect.

    Attributes
    ----------
    giver, partner, purpose
        As asked.
    entries
        Articles that let the giver give anything to the partner.
    secured
        Whether an information-security agreement of the two nations is in force (`NO`, `PERHAPS`, `YES`).
    plan
        How it is asked of a product (`kizuna.release.plan`), once it was.
    compiled
        What is kept of this question besides.
    needs_known
        How many needs of labels its articles' rows know.
    """

    __slots__ = ("_partner", "_plain", "compiled", "entries", "giver", "needs_known", "partner", "plan", "purpose", "secured")

    def __init__(self, view: View, giver: Party, partner: Party, purpose: str, at: Instant) -> None:
        self.giver, self.partner, self.purpose = giver, partner, purpose
        self.needs_known = len(view.needs)
        self.entries = tuple(
            Entry(agreement, article, view.article_row(agreement, article, at))
            for agreement, article in view.articles(giver, partner)
        )
        self.secured, exposed, perhaps_exposed = view.protection(giver, partner, at)
        self._partner = view.parties.bit(partner)
        self._plain = (
            view.parties.bit(giver),
            self._partner,
            int(nation_of(partner) in NATIONS),
            view.purposes.bit(purpose),
            self.secured,
            exposed,
            perhaps_exposed,
        )
        self.plan: object = None
        self.compiled: dict[object, object] = {}

    def learn(self, needs: Vocabulary) -> None:
        """Write into its articles' rows which of the needs that were never heard of before they grant."""
        if self.needs_known == len(needs.bits):
            return
        words = needs.words()
        for bit in range(self.needs_known, len(words)):
            for entry in self.entries:
                if _granted(entry.article, words[bit]):
                    entry.row.lacking &= ~(1 << bit)
        self.needs_known = len(words)

    def row(self, at: int) -> QuestionRow:
        """Row of this question at an instant between its dates."""
        return QuestionRow(at, *self._plain)


class View:
    """What was known of the register at an instant.

    Attributes
    ----------
    register
        As known then.
    parties, kinds, markings, needs, areas, purposes
        Vocabularies of the masks.
    dominated, said, scopes, refusals
        What `kizuna.release.lineage`, `kizuna.release.plan` and `kizuna.release.decide` keep of this view.
    """

    __slots__ = (
        "_area_masks",
        "_consented",
        "_consents",
        "_cuts",
        "_labels",
        "_policies",
        "_questions",
        "_relabelled",
        "applicable",
        "areas",
        "dominated",
        "kinds",
        "markings",
        "needs",
        "parties",
        "purposes",
        "refusals",
        "register",
        "said",
        "scopes",
    )

    def __init__(self, register: Register, applicable: frozenset[ObligationKind] = APPLICABLE) -> None:
        self.register = register
        self.applicable = applicable
        self.parties, self.kinds, self.needs, self.areas = Vocabulary(), Vocabulary(), Vocabulary(), Vocabulary()
        self.purposes = Vocabulary([NO_PURPOSE])
        self.markings = Vocabulary()
        self._policies = {policy: number for number, policy in enumerate(sorted(register.ladders), start=1)}
        self._cuts = sorted(set(_dates(register)))
        self._questions: dict[tuple[Party, Party, str, int], Question] = {}
        # What was asked last of a kind of product by whom: between which instants it is one question, and how it is asked.
        self.scopes: dict[tuple[Party, Party, str, str], tuple[Instant, Instant, int, Scope]] = {}
        self._labels: dict[object, LabelColumns] = {}
        self._area_masks: dict[frozenset[str], int] = {}
        self.dominated: dict[object, Dominated] = {}
        self.said: dict[object, dict[object, object]] = {}
        self.refusals: dict[object, Decision] = {}
        self._relabelled = {r.product: r.label for r in sorted(register.relabellings, key=lambda r: r.recorded_at)}
        self._consents: dict[tuple[Party, str, Party], list[Term]] = {}
        for consent in register.consents:
            key = (consent.originator, consent.product, consent.receiver)
            self._consents.setdefault(key, []).append(consent.term)
        self._consented = {product for _, product, _ in self._consents}

    def question(self, giver: Party, partner: Party, purpose: str, at: Instant) -> Question:
        """Question of these parties at an instant, compiled for all instants between the same dates."""
        key = (giver, partner, purpose, bisect_right(self._cuts, at))
        found = self._questions.get(key)
        if found is None:
            found = self._questions[key] = Question(self, giver, partner, purpose, at)
        if found.needs_known < len(self.needs.bits):
            found.learn(self.needs)
        return found

    def dates_about(self, at: Instant) -> tuple[Instant, Instant]:
        """Instants from and before which the question that is asked at `at` is one and the same."""
        following = bisect_right(self._cuts, at)
        since = self._cuts[following - 1] if following else _FIRST
        return since, self._cuts[following] if following < len(self._cuts) else _LAST

    def next_date(self, at: Instant) -> Instant | None:
        """First instant after `at` at which the state of an agreement, suspension, withdrawal or pair may change."""
        following = bisect_right(self._cuts, at)
        return self._cuts[following] if following < len(self._cuts) else None

    def label_of(self, product: str, label: Label) -> Label:
        """Label of a product as corrected by what was known."""
        return self._relabelled.get(product, label) if self._relabelled else label

    def articles(self, giver: Party, partner: Party) -> Iterator[tuple[Agreement, Article]]:
        """Articles that let one give to the other. A declaration lets nothing go by itself."""
        for agreement in self.register.agreements:
            if agreement.kind is not AgreementKind.DECLARATION:
                for article in agreement.articles:
                    if giver in article.givers and partner in article.receivers:
                        yield agreement, article

    def suspended(self, agreement: str, at: Instant) -> int:
        """Whether an agreement is suspended at an instant. What may have ended, nobody knows when, has not."""
        answer = NO
        for _, term in self.register.suspension_terms(agreement):
            match term.state(at):
                case State.WITHIN:
                    return YES
                case State.UNKNOWN if term.begin.earliest is None or at >= term.begin.earliest:
                    return YES
                case State.PERHAPS:
                    answer = PERHAPS
                case _:
                    continue
        return answer

    def withdrawn(self, agreement: str) -> int:
        """Instant at which the first withdrawal from an agreement takes effect, in microseconds."""
        return min((micros(w.at) for w in self.register.withdrawals if w.agreement == agreement), default=NEVER)

    def article_row(self, agreement: Agreement, article: Article, at: Instant) -> ArticleRow:
        """Row of an article at an instant, and at all others between the same dates."""
        begin, end = agreement.term.begin, agreement.term.end
        rank = None if article.ceiling is None else self.register.ladder_rank(article.policy, article.ceiling)
        asked = {o.kind for o in article.obligations}
        # Of two delays the longer one is asked for, of two limits the coarser one.
        delay, finest = (
            max((amount(o.value) for o in article.obligations if o.kind is kind), default=0.0)
            for kind in (ObligationKind.DELAY, ObligationKind.RESOLUTION)
        )
        unconditional = asked - {
            ObligationKind.DETECTED_ONLY,
            ObligationKind.DELAY,
            ObligationKind.RESOLUTION,
            ObligationKind.AREA,
        }
        return ArticleRow(
            kinds=self.kinds.mask(article.kinds),
            givers=self.parties.mask(article.givers),
            receivers=self.parties.mask(article.receivers),
            begin=NEVER if begin.latest is None else micros(begin.latest),
            end=NEVER if end is None else ALWAYS if end.earliest is None else micros(end.earliest),
            may_begin=NEVER if begin.earliest is None else micros(begin.earliest),
            may_end=NEVER if end is None else ALWAYS if end.earliest is None or end.latest is None else micros(end.latest),
            suspended=self.suspended(agreement.id, at),
            withdrawn=self.withdrawn(agreement.id),
            policy=self._policies.get(article.policy, 0),
            ceiling=-1 if rank is None else rank,
            lacking=~self.needs.mask(need for need in self.needs.words() if _granted(article, need)),
            anywhere=int(not article.areas),
            areas=self.areas.mask(area.id for area in article.areas),
            denied=self.areas.mask(area.id for area in article.denied_areas),
            crops=int(ObligationKind.AREA in asked and ObligationKind.AREA in self.applicable),
            acquired_from=_surely(article.acquired)[0],
            acquired_until=_surely(article.acquired)[1],
            produced_from=_surely(article.produced)[0],
            produced_until=_surely(article.produced)[1],
            delay=NEVER if math.isinf(delay) else math.ceil(delay * _MICROSECONDS_AN_HOUR),
            finest=NEVER if math.isinf(finest) else math.ceil(finest * _MILLIMETRES_A_METRE),
            coarsens=int(ObligationKind.RESOLUTION in self.applicable),
            strips=int(ObligationKind.DETECTED_ONLY in asked and ObligationKind.DETECTED_ONLY not in self.applicable),
            blocked=int(
                not unconditional <= self.applicable
                or math.inf in {delay, finest}
                or (ObligationKind.AREA in asked and not article.areas)
            ),
            purposes=self.purposes.mask((*article.purposes, NO_PURPOSE)) if article.purposes else ALL,
        )

    def security_agreements(self, giver: Party, partner: Party) -> Iterator[Agreement]:
        """Information-security agreements between the nations of two parties, whatever their state.

        What one nation agreed with another says nothing about two of its own organisations.
        """
        nations = {nation_of(giver), nation_of(partner)}
        for agreement in self.register.agreements:
            if agreement.kind is AgreementKind.INFORMATION_SECURITY and len(nations) > 1 and nations <= set(agreement.parties):
                yield agreement

    def standing(self, agreement: Agreement, at: Instant) -> int:
        """Whether an agreement is in force, not suspended and not withdrawn."""
        state = agreement.term.state(at)
        suspended = self.suspended(agreement.id, at)
        if micros(at) >= self.withdrawn(agreement.id) or suspended == YES or state not in {State.WITHIN, State.PERHAPS}:
            return NO
        return YES if state is State.WITHIN and suspended == NO else PERHAPS

    def protection(self, giver: Party, partner: Party, at: Instant) -> tuple[int, int, int]:
        """Whether the two nations have an agreement, and which markings it leaves exposed, for certain and perhaps."""
        secured, protected, perhaps = NO, 0, 0
        for agreement in self.security_agreements(giver, partner):
            standing = self.standing(agreement, at)
            if standing == NO:
                continue
            secured = max(secured, standing)
            equal = self.markings.mask(
                (e.policy, e.marking)
                for e in agreement.equivalences
                if not isinstance(
                    find_equivalence(self.register, agreement, e.policy, e.marking, nation_of(partner), at), EquivalenceFault
                )
            )
            perhaps |= equal
            if standing == YES:
                protected |= equal
        return secured, ~protected, ~perhaps

    def controls(self, subject: Subject, own: Label) -> tuple[Consents, Consents]:
        """Consents that a product with its own label (`label_of`) needs to go on, and those that its parents need.

        Each is a party and the ids of products: that party must have agreed that one of them goes on.
        """
        holder = subject.holder
        # Whose product it is and who labelled it are one party as a rule; where they are two, each has a say.
        needed = [(party, (subject.product,)) for party in {subject.originator, own.originator} if party != holder]
        parents: list[tuple[Party, tuple[str, ...]]] = []
        for ancestor in subject.ancestors:
            parties = {ancestor.originator}
            if ancestor.label is not None:
                parties.add(self.label_of(ancestor.product, ancestor.label).originator)
            parents += [(party, (subject.product, ancestor.product)) for party in parties if party not in {None, holder}]
        return tuple(needed), tuple(parents)

    def consents_to(self, partner: Party, at: Instant) -> dict[tuple[Party, str], int]:
        """Consents (`YES`, `PERHAPS`) of parties that products go on to the partner, by party and product."""
        found = {}
        for originator, product, receiver in self._consents:
            answer = self.consented([originator], [product], partner, at) if receiver == partner else NO
            if answer != NO:
                found[originator, product] = answer
        return found

    def consented(self, originators: Iterable[Party], products: Iterable[str], partner: Party, at: Instant) -> int:
        """Whether each of the originators agreed that one of the products goes on to the partner."""
        answer = YES
        products = tuple(products)
        for originator in originators:
            states = {term.state(at) for product in products for term in self._consents.get((originator, product, partner), ())}
            if State.WITHIN not in states:
                answer = min(answer, PERHAPS if State.PERHAPS in states else NO)
        return answer

    def own_consent(self, subject: Subject, own: Label, partner: Party, at: Instant) -> int:
        """Whether all others whose product it is, or who labelled it, agreed that it goes on."""
        answer = YES
        for party in (subject.originator, own.originator):
            if party != subject.holder:
                answer = min(answer, self.consented((party,), (subject.product,), partner, at))
        return answer

    def parents_consent(self, subject: Subject, labels: Iterable[Label | None], partner: Party, at: Instant) -> int:
        """Whether all others who own or labelled what it is derived from agreed that this, or what is made of it, goes on."""
        answer = YES
        for ancestor, label in zip(subject.ancestors, labels, strict=True):
            for party in (ancestor.originator, None if label is None else label.originator):
                if party is not None and party != subject.holder:
                    answer = min(answer, self.consented((party,), (subject.product, ancestor.product), partner, at))
        return answer

    def has_consents(self, product: str) -> bool:
        """Whether anybody ever consented, for some time, that a product goes on to somebody."""
        return product in self._consented

    def place_columns(self, placement: Placement) -> tuple[int, int, int]:
        """Columns `inside`, `touches` and `placed`."""
        touches = placement.touches
        if touches is None:
            return self._area_mask(placement.inside), ALL, 0
        return self._area_mask(placement.inside), self._area_mask(touches), 1

    def _area_mask(self, areas: frozenset[str]) -> int:
        """Mask of areas, kept: many products lie in the same ones."""
        mask = self._area_masks.get(areas)
        if mask is None:
            if len(self._area_masks) > _MOST_LABELS:
                self._area_masks.clear()
            mask = self._area_masks[areas] = self.areas.mask(areas)
        return mask

    def label_columns(self, label: Label) -> LabelColumns:
        """Columns of a label."""
        key = (label.policy, label.classification, label.releasable_to, label.categories)
        found = self._labels.get(key)
        if found is None:
            rank = self.register.ladder_rank(label.policy, label.classification)
            found = LabelColumns(
                policy=self._policies.get(label.policy, 0),
                rank=-1 if rank is None else rank,
                marking=self.markings.bit((label.policy, label.classification)) if rank else 0,
                releasable=ALL if label.releasable_to is None else self.parties.mask(label.releasable_to),
                needs=self.needs.mask(_needs(label)),
            )
            if len(self._labels) >= _MOST_LABELS:
                self._labels.clear()
            self._labels[key] = found
        return found

    def common_needs(self, labels: Iterable[Label]) -> int:
        """Mask of what the permissive categories of several labels ask together: one of the values that all have of a tag.

        It is what the dominant label keeps (ADatP-4774.1): who may have a value of each label, but none that all have, may not
        have what is derived from both.
        """
        return self.needs.mask((tag, values) for tag, values in common_values(labels) if values)

    def category_needs(self, category: Category) -> int:
        """Mask of what one category asks of an article."""
        return self.needs.mask(_needs_of(category))

    def repeated_needs(self, label: Label) -> Iterator[tuple[str, int]]:
        """Tag and mask of what the permissive categories of one tag, where a label has several, ask together."""
        for need in common_values([label]):
            yield need[0], self.needs.mask([need])

    def product_row(self, subject: Subject, own: Label, partner: Party, at: Instant) -> ProductRow:
        """Row of a product with its own label (`label_of`) for a partner and an instant, on which only its consents depend."""
        columns = self.label_columns(own)
        lineage = lineage_of(self, subject)
        parents = dominate(self, subject, own, lineage) if subject.ancestors else NO_PARENTS
        made, review = dates(lineage) if subject.ancestors else (ALWAYS, NEVER)
        event = subject.event
        return ProductRow(
            self.kinds.bit(subject.kind),
            columns.policy,
            columns.rank,
            columns.marking,
            micros(own.created),
            _review(own),
            columns.releasable,
            columns.needs,
            parents.policy,
            parents.rank,
            parents.marking,
            made,
            review,
            parents.releasable,
            parents.needs,
            parents.disjoint,
            self.own_consent(subject, own, partner, at),
            self.parents_consent(subject, lineage.labels, partner, at),
            ALWAYS if event is None else micros(event.begin),
            NEVER if event is None or event.end is None else micros(event.end),
            NEVER if subject.produced is None else micros(subject.produced),
            millimetres(subject.resolution_m),
            int(subject.complex_data),
            *self.place_columns(subject.placement),
        )


@dataclass(frozen=True, slots=True)
class _Latest:
    """View that was asked for last, for the next who ask for the same."""

    known_at: Instant
    view: View


def view_of(register: Register, known_at: Instant) -> View:
    """View of what was known at an instant, kept with the register for all instants between the same recordings."""
    latest = register.views.get("latest")
    if isinstance(latest, _Latest) and latest.known_at == known_at:
        return latest.view
    recorded = register.views.get("recorded")
    if not isinstance(recorded, list):
        recorded = register.views["recorded"] = sorted(register.recorded_instants())
    key = bisect_right(recorded, known_at)
    found = register.views.get(key)
    if not isinstance(found, View):
        if len(register.views) > _MOST_VIEWS:
            register.views.clear()
        found = register.views[key] = View(register.as_known(known_at))
    register.views["latest"] = _Latest(known_at, found)
    return found


def _dates(register: Register) -> Iterator[Instant]:
    """Instants at which the state of any agreement, suspension, withdrawal, pair or consent may change."""
    terms = [agreement.term for agreement in register.agreements]
    for agreement in register.agreements:
        terms += [pair.valid for pair in agreement.equivalences if pair.valid is not None]
        terms += [term for _, term in register.suspension_terms(agreement.id)]
    for term in terms:
        for bound in (term.begin, term.end):
            if bound is not None:
                yield from (instant for instant in (bound.earliest, bound.latest) if instant is not None)
    yield from (withdrawal.at for withdrawal in register.withdrawals)


def _surely(term: Term | None) -> tuple[int, int]:
    """While a period surely runs. Inside an unknown one lies nothing."""
    if term is None:
        return _WITHOUT_LIMIT
    begin = NEVER if term.begin.latest is None else micros(term.begin.latest)
    return begin, NEVER if term.end is None else ALWAYS if term.end.earliest is None else micros(term.end.earliest)


def amount(text: str | None) -> float:
    """Parameter of an obligation; infinite where it is none that can be read, so that nothing goes."""
    if text is None:
        return 0.0
    try:
        amount = float(text)
    except ValueError:
        return math.inf
    return amount if 0 <= amount < 1e6 else math.inf  # noqa: PLR2004 - a million hours or metres


def _review(label: Label) -> int:
    return NEVER if label.review is None else micros(label.review)


def _needs(label: Label) -> Iterator[tuple[str, frozenset[str]]]:
    """What a label's categories ask: of each the tag, and the values of which one must be granted."""
    for category in label.categories:
        yield from _needs_of(category)
    # Nobody says whether one value of each of several categories of one tag is enough: one that stands in all of them is asked,
    # and where there is none, nothing that an article can grant.
    yield from common_values([label])


def _needs_of(category: Category) -> Iterator[tuple[str, frozenset[str]]]:
    match category.type:
        case CategoryType.RESTRICTIVE:
            yield from ((category.tag, frozenset({value})) for value in category.values)
        case CategoryType.PERMISSIVE:
            yield category.tag, frozenset(category.values)
        case CategoryType.INFORMATIVE:
            return


def _granted(article: Article, need: object) -> bool:
    match need:
        case (str(tag), frozenset() as values):
            return any(grant.tag == tag and not values.isdisjoint(grant.values) for grant in article.categories)
        case _:
            return False


@dataclass(frozen=True, slots=True)
class EquivalenceFault:
    """Why an agreement has no equivalent of a marking: ``missing``, ``several``, ``unplaced`` or ``disordered``."""

    why: str
    pair: Equivalence | None = None


def find_equivalence(
    register: Register, agreement: Agreement, policy: str, marking: str, to_policy: str, at: Instant
) -> Equivalence | EquivalenceFault:
    """How `agreement` has the receiver mark it; what is not verified, contradicts itself or names no rung is unknown."""
    pairs = [
        e
        for e in agreement.equivalences
        if (e.policy, e.to_policy) == (policy, to_policy)
        and e.verified
        and (e.valid is None or e.valid.state(at) is State.WITHIN)
    ]
    same = [e for e in pairs if e.marking == marking]
    if not same or marking == UNCLASSIFIED:
        return EquivalenceFault("missing")
    equal = same[0]
    if any(e.to_marking != equal.to_marking for e in same):
        return EquivalenceFault("several", equal)
    if not register.ladder_rank(to_policy, equal.to_marking):
        return EquivalenceFault("unplaced", equal)
    ranks = [(register.ladder_rank(e.policy, e.marking), register.ladder_rank(e.to_policy, e.to_marking)) for e in pairs]
    placed = [(rank, to_rank) for rank, to_rank in ranks if rank is not None and to_rank is not None]
    # Compared both ways, two names of one rung must have one equivalent.
    if any(one <= other and to_one > to_other for one, to_one in placed for other, to_other in placed):
        return EquivalenceFault("disordered", equal)
    return equal
