"""Every named rule, once. `known_rules` is what the specification linter asks."""

from schemas.rules import files, months, numbers, records, relations, text  # noqa: F401  importing registers the rules
from schemas.rules.registry import Rule, all_rules


def known_rules() -> dict[str, Rule]:
    """All rules by the name that item tables and file.toml use."""
    return all_rules()
