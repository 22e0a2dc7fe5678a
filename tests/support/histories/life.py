"""A town's life: its days as they were drawn, with everything that must be true asserted on the way."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field

from fixtures.odd_histories.days import FIRST_DAY, Day, Event, History, Mixed, business_day_after
from fixtures.odd_histories.events import happen
from fixtures.odd_histories.papers import Papers
from fixtures.odd_histories.town import EXTRACTS, Rows, Town, truth
from tests.support.histories.cell import Cell, Worked
from tests.support.histories.following import INTERFACES, Following

OTHER_PERSON = "KR-7221"


@dataclass
class _Letter:
    """An answer of the Union to one file, made on a day and given out at the end of the `due`th."""

    due: int
    made_on: dt.date
    place: int
    interface: str
    accepted: bool


@dataclass
class Life:
    """A town, its deployment, and the Union's side of it. met: what has happened, by kind."""

    cell: Cell
    papers: Papers
    history: History
    met: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.town, self.following = Town(), Following(self.papers)
        self.town.settle(self.history.sizes)
        self.day = FIRST_DAY
        self.rows: Rows = {}
        self._letters: list[_Letter] = []
        self._posted: list[_Letter] = []
        self._numbers: Counter[dt.date] = Counter()

    def live(self) -> None:
        """All days of the history, and one on which everything is corrected: then the Union knows the truth and nothing else."""
        for evening, plan in enumerate(self.history.days):
            self._skip(plan.skipped)
            self._live_through(plan, evening)
            self._post(evening)
            self.day = business_day_after(self.day)
        self._post(None)
        self.town.mend(self.day)
        place, worked = self._send(self._rows(None), 1, confirm=True)
        assert not worked.withheld, f"{self.day}: withheld although everything is corrected"
        self._decide(place, frozenset(), (0, 0), 0)
        self.following.check_register(self.day, [], truth(self.rows, self.day), nobody_excused=True)

    def _skip(self, days: int) -> None:
        self.day = business_day_after(self.day, days)
        self.met["days skipped"] += days > 0
        self.met["two weeks skipped"] += days >= 10

    def _happen(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self.met[event.kind] += happen(self.town, event, self.day)

    def _live_through(self, plan: Day, evening: int) -> None:
        self.town.begin_day(self.day)
        self._happen(plan.events)
        place, worked = self._send(self._rows(plan.mixed), 1)
        recall = plan.recall
        if recall is None or recall.late:
            self._decide(place, plan.rejects, plan.answers_after, evening)
        if recall is not None:
            self.met[f"recalled{', late' * recall.late}{', accepted nevertheless' * self._was_accepted(plan)}"] += 1
            self.cell.recall(self.day)
            self.following.recalled(place)
            for interface, key in self.town.changed_since(0) if recall.undone else ():
                self.town.take_back(interface, key, 0)
            self._happen(recall.corrections)
            again = self._send(self._rows(None), 2) if recall.again else None
            if not recall.late:
                refused = frozenset() if recall.accepted else frozenset({0, 1})
                self._decide(place, refused, plan.answers_after, evening)
            if again is not None:
                place, worked = again
                self._decide(place, plan.rejects, plan.answers_after, evening)
        if plan.confirms:
            self._confirm_persons(worked)
        if recall is None or recall.again:
            self.following.check_register(self.day, worked.withheld, truth(self.rows, self.day))
            if plan.runs_again:
                self.met["a day run again"] += 1
                self.cell.work_again(self.day)

    @staticmethod
    def _was_accepted(plan: Day) -> bool:
        """Whether the Union has what was recalled."""
        if plan.recall is None or plan.recall.late:
            return not plan.rejects
        return plan.recall.accepted

    def _rows(self, mixed: Mixed | None) -> Rows:
        """The rows of the day's extracts; where an extract says that it is yesterday's, the day stops first."""
        rows, yesterday = self.town.rows(), self.rows
        if mixed is None or not yesterday:
            return rows
        interface = EXTRACTS[mixed.extract]
        self.met[f"mixed days, {mixed.stamped} stamped"] += 1
        if mixed.stamped == "none":
            return rows | {interface: yesterday[interface]}
        stamped = [row | {"processed_on": self._yesterday} for row in yesterday[interface]]
        if mixed.stamped == "one":
            stamped = [stamped[0], *rows[interface]]
        self.cell.write_extracts(rows | {interface: stamped}, self.day)
        self.cell.must_stop(self.day, "KR-7203")
        return rows

    def _send(self, rows: Rows, number: int, *, confirm: bool = False) -> tuple[int, Worked]:
        """The pair leaves; gives the place of the sending."""
        self.rows, self._yesterday = rows, self.day
        self.cell.write_extracts(rows, self.day)
        for letter in self._posted:
            self.following.answered(letter.place, letter.interface, accepted=letter.accepted)
        self._posted.clear()
        worked = self.cell.work(self.day, confirm=confirm)
        self.met[f"confirmed {worked.stop}"] += bool(worked.stop)
        names = self.papers.names(self.day, number)
        sheets = {
            interface: self.papers.sheet(self.cell.to_union / name, self.day) for interface, name in names.items()
        }
        now = truth(rows, self.day)
        self.following.sent(self.day, sheets, worked.withheld, now, confirmed=worked.confirmed)
        self.met["withheld"] += bool(worked.withheld)
        return len(self.following.sendings) - 1, worked

    def _confirm_persons(self, worked: Worked) -> None:
        for row in worked.withheld:
            if OTHER_PERSON in row["codes"]:
                self.met["person confirmed"] += 1
                self.cell.confirm_person(self.day, row["resident_number"])
                self.following.confirmed(row["resident_number"], self.day, truth(self.rows, self.day))

    def _decide(self, place: int, rejects: frozenset[int], answers_after: tuple[int, int], evening: int) -> None:
        """The Union looks at a pair, and takes what it does not refuse."""
        self.met["one of a pair rejected"] += len(rejects) == 1
        self.met["a pair rejected"] += len(rejects) == len(INTERFACES)
        for order, interface in enumerate(INTERFACES):
            accepted = order not in rejects
            (self.cell.to_union / self.following.sendings[place].sheets[interface].name).unlink()
            self.following.looked_at(place, interface, accepted=accepted)
            due = evening + answers_after[order]
            self._letters.append(_Letter(due, self.day, place, interface, accepted))

    def _post(self, evening: int | None) -> None:
        """The answers that are due are in the town's folder tomorrow; None: all of them."""
        due = [letter for letter in self._letters if evening is None or letter.due <= evening]
        self._letters = [letter for letter in self._letters if letter not in due]
        self.met["answers out of order"] += any(letter.place < other.place for letter in self._letters for other in due)
        for made_on in sorted({letter.made_on for letter in due}):
            answers = []
            for letter in due:
                if letter.made_on == made_on:
                    sheet = self.following.sendings[letter.place].sheets[letter.interface]
                    answers.append((sheet.name, len(sheet.facts), letter.accepted))
            self._numbers[made_on] += 1
            self.cell.answer(*self.papers.reception(made_on, self._numbers[made_on], answers))
        self._posted += due
