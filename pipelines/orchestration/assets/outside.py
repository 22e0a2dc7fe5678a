"""The systems outside, as external assets: where the graph begins and where it ends, as in the flow chart of seed 別添1.

Nothing is materialised of them. The municipality's systems and the Union stand once for every step of the chart at which
they act, so that the graph has no circle.
"""

from __future__ import annotations

import dagster as dg

RESIDENT_RECORDS, INSURED_RECORDS = "resident_records", "insured_records"
BENEFIT_RECORDS, TAX_RECORDS = "benefit_records", "tax_records"
UNION_ELIGIBILITY, UNION_CANDIDATES = "union_eligibility", "union_candidates"
UNION_CONTINUITY, UNION_HIGH_COST = "union_continuity", "union_high_cost"
INSURED_RECORDS_AFTER, BENEFIT_RECORDS_AFTER = "insured_records_after", "benefit_records_after"
BEGIN, END = "municipal_systems", "municipal_systems_after"
MUNICIPALITY, UNION = "市区町村", "国保連合会"

# name, group, whose it is, what it does there, what it receives
_SYSTEMS: tuple[tuple[str, str, str, str, tuple[str, ...]], ...] = (
    (RESIDENT_RECORDS, BEGIN, MUNICIPALITY, "住民記録システム: 宛名・世帯・個人番号の抽出", ()),
    (INSURED_RECORDS, BEGIN, MUNICIPALITY, "資格管理システム: 届出の入力と、国保資格・国保世帯の抽出（1-①②）", ()),
    (BENEFIT_RECORDS, BEGIN, MUNICIPALITY, "給付システム: 高額療養費の支給の抽出", ()),
    (TAX_RECORDS, BEGIN, MUNICIPALITY, "税務システム: 所得区分の判定に要る税情報の抽出", ()),
    (
        UNION_ELIGIBILITY,
        "linkage",
        UNION,
        "国保情報集約システム: 異動情報の取込、資格の取得・喪失・継続の処理、IDの付番（1-④⑤、2-①〜④）",
        ("eligibility_dispatch",),
    ),
    (
        UNION_CANDIDATES,
        "continuity",
        UNION,
        "国保情報集約システム: 異動情報からの継続候補世帯の抽出と配信（3-④〜⑥）",
        ("eligibility_dispatch",),
    ),
    (
        UNION_CONTINUITY,
        "continuity",
        UNION,
        "国保情報集約システム: 継続世帯の確定と高額該当情報の引継、その配信（4-③〜⑤）",
        ("continuity_instruction",),
    ),
    (
        UNION_HIGH_COST,
        "high_cost",
        UNION,
        "国保情報集約システム: 転出した世帯の高額該当情報と、世帯の所得区分の取込",
        ("monthly_dispatch",),
    ),
    (
        INSURED_RECORDS_AFTER,
        END,
        MUNICIPALITY,
        "資格管理システム: 都道府県単位の被保険者情報の更新（2-⑤⑥）",
        ("linkage_state",),
    ),
    (
        BENEFIT_RECORDS_AFTER,
        END,
        MUNICIPALITY,
        "給付システム: 引き継いだ回数による多数回該当の限度額（4-⑥の後）",
        ("high_cost_counts",),
    ),
)


def systems() -> list[dg.AssetSpec]:
    """The external assets."""
    return [
        dg.AssetSpec(name, group_name=group, description=f"{owner}の{text}。外部のシステム", deps=deps, kinds={owner})
        for name, group, owner, text, deps in _SYSTEMS
    ]
