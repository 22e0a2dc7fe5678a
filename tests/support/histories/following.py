"""What must be true of every sending and of the Union's register, from the truth and from what was reported to the Union.

Knows of the program only its files and the 要修正 list. `Following` hears what happens in the order in which it does.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from fixtures.odd_histories.papers import HOUSEHOLDS, PEOPLE, Facts, Papers, Sheet
from fixtures.odd_histories.town import Truth, runs_or_will
from fixtures.odd_histories.union import Register

INTERFACES = (HOUSEHOLDS, PEOPLE)
Keys = dict[str, set[str]]
ALONE = "（世帯）"
IDENTITY = (("name", "name_kana"), ("born_on",), ("sex",))
SEVERAL = 2


def no_keys() -> Keys:
    """Nobody, and no household."""
    return {interface: set() for interface in INTERFACES}


def listed_keys(withheld: list[dict[str, str]]) -> Keys:
    """The persons and the households on a 要修正 list."""
    return {
        PEOPLE: {row["resident_number"] for row in withheld} - {ALONE},
        HOUSEHOLDS: {row["household_number"] for row in withheld},
    }


@dataclass
class Sending:
    """A day's pair as it was sent. base: the place of the sending that it was compared with; after: what the Union ought to
    know once it is in. left: those who stay in doubt after it, because they wait."""

    day: dt.date
    sheets: dict[str, Sheet]
    base: int | None
    after: Register
    left: Keys
    # As far as the town knows.
    rejected: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    recalled: bool = False


class Following:
    """One town's sendings."""

    def __init__(self, papers: Papers) -> None:
        self._papers = papers
        self.register = Register()
        self.sendings: list[Sending] = []
        self._confirmed: set[tuple[str, ...]] = set()
        # Whose report the Union may lack, by the sendings that it rejected or that were recalled.
        self._excused: dict[tuple[str, str], set[int]] = {}

    def _is_clean(self, place: int) -> bool:
        sending = self.sendings[place]
        return not sending.rejected and not sending.recalled and (sending.base is None or self._is_clean(sending.base))

    def _base(self) -> int | None:
        """The newest sending that the Union has, with all that it was built upon, as far as the town knows."""
        return max((place for place in range(len(self.sendings)) if self._is_clean(place)), default=None)

    def sent(
        self, day: dt.date, sheets: dict[str, Sheet], withheld: list[dict[str, str]], truth: Truth, *, confirmed: bool
    ) -> Sending:
        """A pair was sent: it reports everybody whom it must, nobody else, and correctly.

        confirmed: a person said that everybody is who they seem to be.
        """
        base = self._base()
        since = self.sendings[0 if base is None else base + 1 :]
        known = Register() if base is None else self.sendings[base].after.copy()
        doubted = no_keys() if base is None else {i: set(keys) for i, keys in self.sendings[base].left.items()}
        for sending in since:
            for interface, sheet in sending.sheets.items():
                doubted[interface] |= sheet.facts.keys() | sending.left[interface]
                if sending.recalled or interface not in sending.rejected:
                    known.enter(sheet)
                if interface in sending.accepted and not sending.recalled:
                    doubted[interface] -= {key for key, kind in sheet.kinds.items() if kind == "withdrawn"}
        ought = self._ought(day, truth)
        listed = listed_keys(withheld)
        others = self._others(known, ought[PEOPLE])
        if confirmed:
            self._confirmed |= {self._who(ought[PEOPLE][key]) for key in others}
            others = set()
        self._check_sheets(sheets, ought, known, doubted)
        self._check_who(day, sheets, ought, known, doubted, listed, truth, since)
        self._check_withheld(sheets, listed, truth.faulty_people | others, truth, known, since)
        after = known.copy()
        for sheet in sheets.values():
            after.enter(sheet)
        left = {i: (doubted[i] - sheets[i].facts.keys()) & listed[i] for i in INTERFACES}
        self.sendings.append(Sending(day, sheets, base, after, left))
        self._end_excuses()
        return self.sendings[-1]

    def _ought(self, day: dt.date, truth: Truth) -> dict[str, dict[str, Facts]]:
        rows = {HOUSEHOLDS: truth.households, PEOPLE: truth.people}
        return {i: {key: self._papers.facts(i, day, row) for key, row in own.items()} for i, own in rows.items()}

    def _others(self, known: Register, people: dict[str, Facts]) -> set[str]:
        """Who seems to be another person than the Union knows: two of name, birth, sex and 個人番号 at once."""
        found = set()
        for key in people.keys() & known.records[PEOPLE].keys():
            now, before = people[key], known.records[PEOPLE][key]
            differing = [any(now[item] != before[item] for item in items) for items in IDENTITY]
            numbers = now["my_number"], before["my_number"]
            if sum(differing) + (all(numbers) and numbers[0] != numbers[1]) >= SEVERAL:
                found.add(key)
        return {key for key in found if self._who(people[key]) not in self._confirmed}

    @staticmethod
    def _who(facts: Facts) -> tuple[str, ...]:
        return tuple(facts[item] for item in ("resident_number", "name", "name_kana", "born_on", "sex"))

    def confirmed(self, key: str, day: dt.date, truth: Truth) -> None:
        """A person said that somebody is who they seem to be."""
        self._confirmed.add(self._who(self._papers.facts(PEOPLE, day, truth.people[key])))

    def _check_sheets(
        self, sheets: dict[str, Sheet], ought: dict[str, dict[str, Facts]], known: Register, doubted: Keys
    ) -> None:
        """Every record is right: its facts are true, and its kind says what it is to the Union."""
        for interface, sheet in sheets.items():
            for key, facts in sheet.facts.items():
                there, before = ought[interface].get(key), known.records[interface].get(key)
                kind = "withdrawn" if there is None else "added" if before is None else "changed"
                assert (sheet.kinds[key] == "withdrawn") == (there is None), f"{sheet.name} {key}: {sheet.kinds[key]}"
                if key not in doubted[interface]:
                    assert sheet.kinds[key] == kind, f"{sheet.name} {key}: {sheet.kinds[key]} instead of {kind}"
                if there is not None or key not in doubted[interface]:
                    assert facts == (there or before), f"{sheet.name} {key}: {difference(facts, there or before)}"

    def _check_who(
        self,
        day: dt.date,
        sheets: dict[str, Sheet],
        ought: dict[str, dict[str, Facts]],
        known: Register,
        doubted: Keys,
        listed: Keys,
        truth: Truth,
        since: list[Sending],
    ) -> None:
        """Those who changed and their households are reported, each unless they wait; and nobody else is."""
        changed = {
            i: {
                key
                for key in ought[i].keys() | known.records[i].keys()
                if ought[i].get(key) != known.records[i].get(key)
            }
            for i in INTERFACES
        }
        must = self._widened(day, changed, known, truth, since)
        may = self._widened(day, {i: changed[i] | doubted[i] for i in INTERFACES}, known, truth, since)
        for interface, sheet in sheets.items():
            reported = set(sheet.facts)
            assert not reported - may[interface], (
                f"{sheet.name}: reported without a reason {sorted(reported - may[interface])}"
            )
            missing = must[interface] - doubted[interface] - reported - listed[interface]
            assert not missing, f"{sheet.name}: neither reported nor listed {sorted(missing)}"
        assert not listed[PEOPLE] & sheets[PEOPLE].facts.keys(), "listed, and reported nevertheless"

    def _widened(self, day: dt.date, keys: Keys, known: Register, truth: Truth, since: list[Sending]) -> Keys:
        """With a changed person go the insured and the 擬制世帯主 of their household, and of those that they were in."""
        families = set(keys[HOUSEHOLDS])
        for key in keys[PEOPLE]:
            families |= self._places(key, known, truth, since)
        people = {
            key
            for key, row in truth.people.items()
            if row["household_number"] in families and (row["head_kind"] == "nominal_head" or runs_or_will(row, day))
        }
        return {HOUSEHOLDS: families & (truth.households.keys() | keys[HOUSEHOLDS]), PEOPLE: people | keys[PEOPLE]}

    def _places(self, key: str, known: Register, truth: Truth, since: list[Sending]) -> set[str]:
        """The households of a person, now and as they were or may have been reported to the Union."""
        rows = [
            truth.people.get(key),
            known.records[PEOPLE].get(key),
            *(sending.sheets[PEOPLE].facts.get(key) for sending in since),
        ]
        return {str(row["household_number"]) for row in rows if row is not None}

    def _check_withheld(
        self,
        sheets: dict[str, Sheet],
        listed: Keys,
        people: set[str],
        truth: Truth,
        known: Register,
        since: list[Sending],
    ) -> None:
        """Nobody at fault (`people`) is reported, and nobody waits who is not tied to somebody at fault."""
        families = set(truth.faulty_households)
        reported = (people & sheets[PEOPLE].facts.keys(), families & sheets[HOUSEHOLDS].facts.keys())
        assert not any(reported), f"reported although they contradict themselves: {reported}"
        everybody = truth.people.keys() | known.records[PEOPLE].keys()
        unlisted = truth.twice_people & everybody - listed[PEOPLE], truth.twice_households - listed[HOUSEHOLDS]
        assert not any(unlisted), f"listed twice, and on no 要修正 list: {unlisted}"
        everybody = everybody.union(*(sending.sheets[PEOPLE].facts for sending in since))
        places = {key: self._places(key, known, truth, since) for key in everybody}
        for key in people & everybody:
            families |= places[key]
        while wider := set().union(*(own for own in places.values() if own & families)) - families:
            families |= wider
        tied = people | {key for key in everybody if places[key] & families}
        assert not listed[PEOPLE] - tied, f"withheld without a reason {sorted(listed[PEOPLE] - tied)}"
        assert not listed[HOUSEHOLDS] - families, f"withheld without a reason {sorted(listed[HOUSEHOLDS] - families)}"

    def _end_excuses(self) -> None:
        """What the town knows to be refused or recalled it has reported again now."""
        for (interface, key), places in list(self._excused.items()):
            places -= {p for p in places if self.sendings[p].recalled or interface in self.sendings[p].rejected}
            if not places:
                del self._excused[interface, key]

    def answered(self, place: int, interface: str, *, accepted: bool) -> None:
        """The town has the Union's answer to a file."""
        sending = self.sendings[place]
        (sending.accepted if accepted else sending.rejected).add(interface)

    def recalled(self, place: int) -> None:
        """A sending was recalled."""
        self.sendings[place].recalled = True
        for interface, sheet in self.sendings[place].sheets.items():
            self._excuse(place, interface, sheet)

    def looked_at(self, place: int, interface: str, *, accepted: bool) -> None:
        """The Union has looked at a file of a sending."""
        sheet = self.sendings[place].sheets[interface]
        if accepted:
            self.register.enter(sheet)
        if not accepted:
            self._excuse(place, interface, sheet)
        elif not self.sendings[place].recalled:
            for key in sheet.facts:
                self._excused.pop((interface, key), None)

    def _excuse(self, place: int, interface: str, sheet: Sheet) -> None:
        """The Union may lack what a sending reported, until the town, which knows it, reports it again."""
        if place == len(self.sendings) - 1:
            for key in sheet.facts:
                self._excused.setdefault((interface, key), set()).add(place)

    def check_register(
        self, day: dt.date, withheld: list[dict[str, str]], truth: Truth, *, nobody_excused: bool = False
    ) -> None:
        """At the end of a day the register is the truth, except for those who wait and those whom the Union refused meanwhile."""
        ought = self._ought(day, truth)
        listed = listed_keys(withheld)
        for interface in INTERFACES:
            own = self.register.records[interface]
            for key in sorted((own.keys() | ought[interface].keys()) - listed[interface]):
                if nobody_excused or (interface, key) not in self._excused:
                    wrong = difference(own.get(key), ought[interface].get(key))
                    assert not wrong, f"{day} {interface} {key}: {wrong}"


def difference(known: Facts | None, true: Facts | None) -> str:
    """Where two rows differ, in words; nothing when they don't."""
    if known is None or true is None:
        return "" if known is true else "there, and ought not to be" if true is None else "not there"
    return ", ".join(f"{item}: {known[item]} instead of {true[item]}" for item in true if known[item] != true[item])
