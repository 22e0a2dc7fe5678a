"""Which table an asset stores. The files that a day applies are kept as `ReceivedFiles`, whatever the catalogue has of them."""

from __future__ import annotations

from collections.abc import Mapping

from interfaces.catalogue import Catalogue
from pipelines.tables.agreement import AgreementTotals, Disagreements
from pipelines.tables.continuity import (
    Candidates,
    Cases,
    ContinuityDiscrepancies,
    Handovers,
    HouseholdsGone,
    MonthlyRecords,
    Results,
)
from pipelines.tables.eligibility import (
    ChangedPeople,
    DailyDispatch,
    HouseholdExtract,
    Households,
    InsuredExtract,
    MyNumbers,
    PairManifest,
    People,
    PersonsAtFault,
    ResidentExtract,
    SentHouseholds,
    SentPeople,
    WithheldPeople,
)
from pipelines.tables.files import ReceivedFiles, SentFiles
from pipelines.tables.high_cost import (
    BenefitExtract,
    ClassesSnapshot,
    CountedMonths,
    Counts,
    HistorySnapshot,
    MonthlyDispatch,
    MonthlyManifest,
    TaxExtract,
    WithheldKeys,
)
from pipelines.tables.linkage import LinkageDiscrepancies, LinkageState
from pipelines.tables.operations import Outstanding
from schemas.findings import Findings
from schemas.tables import StoredTable, Table

TABLES: Mapping[str, type[Table]] = {
    "resident_extract": ResidentExtract,
    "insured_extract": InsuredExtract,
    "household_extract": HouseholdExtract,
    "my_numbers": MyNumbers,
    "extract_findings": Findings,
    "extract_faults": PersonsAtFault,
    "people": People,
    "households": Households,
    "eligibility_changes": ChangedPeople,
    "withheld_list": WithheldPeople,
    "build_findings": Findings,
    "eligibility_household": PairManifest,
    "eligibility_individual": PairManifest,
    "sent_people": SentPeople,
    "sent_households": SentHouseholds,
    "sent_my_numbers": MyNumbers,
    "eligibility_dispatch": DailyDispatch,
    "linkage_state": LinkageState,
    "linkage_discrepancies": LinkageDiscrepancies,
    "continuity_candidates": Candidates,
    "continuity_worksheet": Cases,
    "continuity_instruction": SentFiles,
    "continuity_result": Results,
    "high_cost_handover": Handovers,
    "handover_taken": Handovers,
    "households_gone": HouseholdsGone,
    "continuity_discrepancies": ContinuityDiscrepancies,
    "benefit_extract": BenefitExtract,
    "tax_extract": TaxExtract,
    "withheld_benefits": WithheldKeys,
    "tax_held": WithheldKeys,
    "high_cost_history": MonthlyManifest,
    "known_high_cost_history": HistorySnapshot,
    "income_class": MonthlyManifest,
    "known_income_class": ClassesSnapshot,
    "monthly_dispatch": MonthlyDispatch,
    "high_cost_counts": Counts,
    "high_cost_months": CountedMonths,
    "agreement_differences": Disagreements,
    "agreement_totals": AgreementTotals,
    "outstanding": Outstanding,
}


def stored_tables(catalogue: Catalogue) -> dict[str, StoredTable]:
    """Asset -> its table: those of TABLES, and for every other file of the Union in the catalogue what its cycle keeps of it."""
    received: dict[str, type[Table]] = {
        **dict.fromkeys(catalogue.of_cycle("daily", "from_union"), ReceivedFiles),
        **dict.fromkeys(catalogue.of_cycle("monthly", "from_union"), MonthlyRecords),
    }
    return {asset: StoredTable(model, catalogue) for asset, model in (received | dict(TABLES)).items()}
