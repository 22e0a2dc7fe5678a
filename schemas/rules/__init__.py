"""Every named rule, once. The specification linter uses `registered_rules`."""

from schemas.rules import files, months, numbers, records, relations, text, totals  # noqa: F401  importing registers the rules
from schemas.rules.registry import Rule, all_rules


def registered_rules() -> dict[str, Rule]:
    """All rules by the name that item tables and file.toml use."""
    return all_rules()
