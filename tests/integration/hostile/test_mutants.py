"""Each rule of each item of each interface is broken once: caught at its line and item, by its code, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from interfaces.spec import Call, Item
from schemas.rules import registered_rules
from schemas.validate import FileContext, relate, validate_file
from tests.support.hostile.mutations import BY_ROW, NAMED, SEEN_BY_NAME_ALONE, Mutant, mutants
from tests.support.hostile.sound import Sound
from tests.support.layouts import exchanged

LEAST = 500
# A household whose head's record is broken has no head any more: its other members follow, by relation.
FOLLOWS = {"KR-5004"}
MY_NUMBERS = ("999000000016", "123456789018", "983205673214")
NOBODY = "000000099999999"

Batch = dict[tuple[int, str], tuple[Mutant, str]]  # (line, item) -> what is broken there, and the value that breaks it


def looks_at(item: Item, other: Item) -> bool:
    return other.id in item.required.replace("=", " ").split() or any(other.id in call.arguments for call in item.rules)


def fits(batch: Batch, line: int, mutant: Mutant) -> bool:
    """Whether a record has room for one more cause that cannot be mistaken for, or hide, one that the file has already."""
    if any((other.rule, other.item.id) == (mutant.rule, mutant.item.id) for other, _ in batch.values()):
        return False
    beside = [other.item for (at, _), (other, _) in batch.items() if at == line]
    return not any(
        item.id == mutant.item.id or looks_at(item, mutant.item) or looks_at(mutant.item, item) for item in beside
    )


def batches(sound: Sound, every: Iterable[Mutant]) -> list[Batch]:
    """The mutants in as few files as they fit."""
    made: list[Batch] = []
    for mutant in every:
        places = ((batch, line) for batch in made for line in mutant.values if fits(batch, line, mutant))
        batch, line = next(places, (None, next(iter(mutant.values))))
        if batch is None:
            made.append(batch := {})
        batch[(line, mutant.item.id)] = (mutant, mutant.values[line])
    return made


def found_in(
    sound: Sound, cells: dict[tuple[int, str], str], context: FileContext, folder: Path
) -> list[tuple[int, str, str]]:
    """(line, item, code) of every finding of the sound file with these cells changed."""
    path = folder / sound.name
    path.write_bytes(sound.written(cells))
    found = validate_file(path, sound.specification, sound.on, context).findings
    return sorted(found.select("line", "item", "code").rows())


def test_the_files_are_sound_as_they_are(sounds: dict[str, Sound], tmp_path: Path) -> None:
    assert set(sounds) == set(exchanged())
    for sound in sounds.values():
        assert found_in(sound, {}, sound.context, tmp_path) == [], sound.name


def test_every_mutant_is_caught_at_its_place_by_its_code_alone(sounds: dict[str, Sound], tmp_path: Path) -> None:
    broken: dict[str, int] = dict.fromkeys([*BY_ROW, *NAMED], 0)
    for sound in sounds.values():
        every = list(mutants(sound))
        by_name = [mutant for mutant in every if mutant.rule == SEEN_BY_NAME_ALONE]
        usual = [mutant for mutant in every if mutant.rule != SEEN_BY_NAME_ALONE]
        for context, some in ((sound.context, usual), (FileContext(file_name=sound.name), by_name)):
            for batch in batches(sound, some):
                found = found_in(sound, {at: value for at, (_, value) in batch.items()}, context, tmp_path)
                expected = sorted((line, item, mutant.code) for (line, item), (mutant, _) in batch.items())
                assert [finding for finding in found if finding[2] not in FOLLOWS] == expected, sound.specification.id
        for mutant in every:
            broken[mutant.rule] += 1
    assert sum(broken.values()) >= LEAST, broken
    assert min(broken.values()) > 0, broken


def test_every_rule_of_an_item_can_be_broken(sounds: dict[str, Sound]) -> None:
    """No rule is left out because the sound files have no record for it."""
    for sound in sounds.values():
        caught = {(mutant.record.kind, mutant.item.id, mutant.rule) for mutant in mutants(sound)}
        for record in sound.specification.records:
            for item in record.items[1:]:
                for call in item.rules:
                    assert (record.kind, item.id, call.name) in caught, (sound.specification.id, item.id, str(call))
                if item.required != "任意":
                    assert (record.kind, item.id, "required") in caught, (sound.specification.id, item.id)


def test_a_key_that_is_used_twice(sounds: dict[str, Sound], tmp_path: Path) -> None:
    for sound in sounds.values():
        key = sound.specification.data.key
        first, second = sound.data_lines[:2]
        cells = {(second, name): sound.cell(first, name) for name in key}
        found = [finding for finding in found_in(sound, cells, sound.context, tmp_path) if finding[2] not in FOLLOWS]
        assert found == ([(first, key[0], "KR-3004"), (second, key[0], "KR-3004")] if key else []), sound.name


def test_a_column_of_my_numbers_from_the_union(sounds: dict[str, Sound], tmp_path: Path) -> None:
    accused = 0
    for sound in sounds.values():
        for item in sound.specification.data.items:
            if sound.specification.layout.direction != "from_union" or (item.type.id, item.length) != ("英数", 12):
                continue
            cells = {(line, item.id): MY_NUMBERS[line % 3] for line in sound.data_lines}
            found = found_in(sound, cells, sound.context, tmp_path)
            code = "KR-4010" if len(sound.data_lines) >= 6 else "KR-4004"  # (1/11)**6 is no chance
            assert found == [(sound.data_lines[0], item.id, code)], (sound.name, item.id)
            accused += 1
    assert accused == 4


# relation with another file -> (code, item that must be there)
ACROSS = {
    "every_individual_has_household": ("KR-5001", "household_number"),
    "every_insured_has_household": ("KR-5002", "household_number"),
    "every_insured_is_resident": ("KR-5003", "resident_number"),
    "every_benefit_has_household": ("KR-5006", "household_number"),
}


def test_a_record_whose_other_file_lacks_it(sounds: dict[str, Sound], tmp_path: Path) -> None:
    used = set()
    for sound in sounds.values():
        for call in map(Call.parse, sound.specification.layout.relations):
            if not call.arguments:
                continue
            used.add(call.name)
            code, item = ACROSS[call.name]
            other = sounds[call.arguments[0]]
            there = sorted({other.cell(line, item) for line in other.data_lines})
            if sound.specification.id == "benefit_extract":
                sound = sound.changed({(line, item): there[0] for line in sound.data_lines})
            corrected = sound.data_lines[-1]
            for value, expected in ((sound.cell(corrected, item), []), (NOBODY, [(corrected, item, code)])):
                judged = {}
                for file, cells in ((sound, {(corrected, item): value}), (other, {})):
                    path = tmp_path / file.name
                    path.write_bytes(file.written(cells))
                    judged[file.specification.id] = validate_file(path, file.specification, file.on, file.context)
                assert relate(judged).select("line", "item", "code").rows() == expected, (call.name, value)
    assert used == set(ACROSS)


def test_heads_of_a_household(sounds: dict[str, Sound], tmp_path: Path) -> None:
    """head_kind 0 is a member, 1 an insured head, 2 a 擬制世帯主 (codes/head_kind.csv)."""
    sound = sounds["eligibility_individual"]
    running = [line for line in sound.data_lines if sound.cell(line, "applied_on") and not sound.cell(line, "ended_on")]
    head = next(line for line in running if sound.cell(line, "head_kind") == "1")
    household = sound.cell(head, "household_number")
    people = [line for line in running if sound.cell(line, "household_number") == household]
    found = found_in(sound, {(head, "head_kind"): "0"}, sound.context, tmp_path)
    assert found == [(line, "head_kind", "KR-5004") for line in people]
    found = found_in(sound, {(head, "head_kind"): "2", (head, "branch_number"): ""}, sound.context, tmp_path)
    assert (head, "applied_on", "KR-5005") in found
    assert {code for _, _, code in found} == {"KR-5005"}


def test_every_rule_in_use_is_broken_here(sounds: dict[str, Sound]) -> None:
    specifications = [sound.specification for sound in sounds.values()]
    items = [item for specification in specifications for record in specification.records for item in record.items]
    used = {call.name for item in items for call in item.rules}
    used |= {Call.parse(text).name for specification in specifications for text in specification.layout.relations}
    here = {*NAMED, *ACROSS, "one_head_per_household", "nominal_head_not_insured"}
    assert used == here
    # Of the rest, one is not in use, one marks a period's end, and two are broken above without being named by an item.
    assert set(registered_rules()) - here == {
        "resident_record_code_check_digit",
        "inclusive_end",
        "duplicate_key",
        "no_my_number",
        # Of files in groups, which no shipped interface has (test_record_grammar).
        *("count_of", "sum_of", "equal_to"),
    }
