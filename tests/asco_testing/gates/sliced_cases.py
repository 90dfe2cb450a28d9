"""Tables and expectations on which slices are compared with the whole table.

Every type of expectation that a suite takes stands here, on tables that are sound, full of holes, or of nulls
alone. What does not belong here: the comparison (``test_slices``).
"""

from typing import Any

ASSET = "stg_x__y"
ROWS = 40
AT_ONCE = 11
# numbers are quarters, whose sums are exact, so that DuckDB's and pandas' are the same
SOUND = """
    select 'c' || lpad(i::varchar, 2, '0') as code, 'k' || (i % 3) as kind,
        case i % 2 when 0 then 'a' else 'b' end as letter, i::integer as number,
        (i * 2)::bigint as twice, i / 4.0::double as part,
        (i + 1) / 4.0::double as more, (i % 2 = 0) as even, date '2014-01-01' + i::integer as day
    from range({rows}) as range(i) order by i
"""
HOLES = """
    select case when i % 9 = 5 then null else 'c' || lpad((i % 31)::varchar, 2, '0') end as code,
        case when i < 8 then null else 'k' || (i % 3) end as kind,
        case i % 11 when 3 then 'x' when 4 then null else 'a' end as letter,
        case when i % 13 = 12 then null else (i - 3)::integer end as number,
        case when i > 30 then null else i % 4 end::bigint as twice,
        case when i % 5 = 1 then null else i / 4.0 end::double as part,
        case when i % 7 = 1 then null when i = 9 then 'nan' else (20 - i) / 4.0 end::double as more,
        case when i = 33 then null else i % 2 = 0 end as even,
        case when i = 2 then null else date '2014-01-01' + i::integer end as day
    from range({rows}) as range(i) order by i
"""
NULLS = """
    select null::varchar as code, null::varchar as kind, null::varchar as letter, null::integer as number,
        null::bigint as twice, null::double as part, null::double as more,
        null::boolean as even, null::date as day
    from range({rows})
"""
TABLES = {"sound": SOUND, "holes": HOLES, "nulls": NULLS}
CONDITION = {"row_condition": "kind == 'k1'", "condition_parser": "pandas"}
NONE = {"row_condition": "number > 9999", "condition_parser": "pandas"}
START = {"row_condition": "code.str.startswith('c0') and number < 6", "condition_parser": "pandas"}
CONDITIONS = ({}, CONDITION, NONE, START)


def asked(kind: str, severity: str = "critical", **kwargs: Any) -> dict:
    meta: dict = {"reason": "because"}
    if "row_condition" in kwargs:
        meta["condition_columns"] = [c for c in ("code", "kind", "number") if c in kwargs["row_condition"]]
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": severity, "meta": meta}


def single_rows(**mostly: float) -> list[dict]:
    """Expectations of single rows."""
    return [
        asked("column_values_to_be_between", column=column, min_value=1, max_value=8, **mostly)
        for column in ("number", "twice", "part")
    ] + [
        asked("column_values_to_be_in_set", column="letter", value_set=["a", "b"], **mostly),
        asked("column_values_to_be_in_set", column="number", value_set=[1, 2], **mostly),
        asked("column_values_to_be_in_set", column="even", value_set=[0, 1], **mostly),
        asked("column_values_to_not_be_in_set", column="letter", value_set=["x"], **mostly),
        asked("column_values_to_be_null", column="twice", **mostly),
        asked("column_values_to_not_be_null", column="code", **mostly),
        asked("column_values_to_match_regex", column="code", regex="^c[0-2]", **mostly),
        asked("column_values_to_not_match_regex", column="code", regex="^c3", **mostly),
        asked("column_value_lengths_to_be_between", column="letter", min_value=1, **mostly),
        asked("column_value_lengths_to_be_between", column="number", max_value=1, **mostly),
        asked("column_value_lengths_to_equal", column="number", value=2, **mostly),
    ]


PAIRS = [
    asked(
        "column_pair_values_a_to_be_greater_than_b",
        column_A="more",
        column_B="part",
        or_equal=equal,
        **ignored,
    )
    for equal in (True, False)
    for ignored in (
        {},
        {"ignore_row_if": "either_value_is_missing"},
        {"ignore_row_if": "both_values_are_missing"},
        {"ignore_row_if": "neither", "mostly": 0.5},
    )
] + [
    asked("column_pair_values_to_be_equal", column_A="kind", column_B="letter"),
    asked(
        "column_pair_values_to_be_in_set", column_A="kind", column_B="letter", value_pairs_set=[["k1", "a"]]
    ),
]
WHOLE = [
    asked("column_values_to_be_unique", column="code"),
    asked("column_values_to_be_unique", column="twice", mostly=0.5),
    asked("column_values_to_be_unique", column="more"),
    asked("column_values_to_be_unique", column="day"),
    *(
        asked("compound_columns_to_be_unique", column_list=columns, **ignored)
        for columns in (["code", "kind"], ["twice", "letter", "even"], ["more", "part"], ["day", "number"])
        for ignored in (
            {},
            {"ignore_row_if": "never"},
            {"ignore_row_if": "any_value_is_missing", "mostly": 0.9},
            {"ignore_row_if": "all_values_are_missing"},
        )
    ),
    asked("column_mean_to_be_between", column="even", min_value={"$PARAMETER": "response_rate_min"}),
    asked("table_row_count_to_equal", value=ROWS),
    asked("table_row_count_to_be_between", min_value=ROWS + 1),
]


def _aggregates(**condition: Any) -> list[dict]:
    """Expectations of whole columns."""
    numbers = [
        asked(f"column_{kind}_to_be_between", column=column, max_value=30, **condition)
        for kind in ("max", "min", "sum", "mean")
        for column in ("number", "twice", "part", "more", "even")
        # a sum of what its own condition names is read whole
        if column not in condition.get("row_condition", "") or kind in ("max", "min")
    ]
    distinct = [
        asked(f"column_distinct_values_to_{kind}", column=column, value_set=values, **condition)
        for kind in ("be_in_set", "contain_set", "equal_set")
        for column, values in (("letter", ["a", "b"]), ("twice", [0, 1, 2, 3]), ("more", [0.25]))
    ]
    return [
        *numbers,
        *distinct,
        asked("column_unique_value_count_to_be_between", column="code", min_value=35, **condition),
        asked("table_row_count_to_be_between", min_value=10, max_value=20, **condition),
        asked("table_row_count_to_equal", value=4, **condition),
    ]


CASES = {
    "rows": [one for share in ({}, {"mostly": 0.9}, {"mostly": 0.2}) for one in single_rows(**share)],
    "rows under a condition": [one for c in CONDITIONS[1:] for one in single_rows(**c, mostly=0.6)],  # type: ignore[arg-type]
    "pairs": PAIRS,
    "whole": WHOLE,
    "aggregates": [one for condition in CONDITIONS for one in _aggregates(**condition)],
}


ANSWERS = """
    select md5((i // 4)::varchar)[:24] as unit_id, 'commune' as unit_type, 'Q' || (i % 4) as question,
        (i // 4)::varchar as unit_code, 'in.csv' as source_file, i as source_row,
        case when i % 10 < 7 then 'v' end as value,
        case when i % 10 < 7 then 'answered' else 'item_nonresponse' end as edit_status
    from range({rows}) as range(i) order by i
"""
INDICATORS = """
    select md5((i // 4)::varchar)[:24] as unit_id, if(i % 8 < 4, 'commune', 'epci') as unit_type,
        'i' || (i % 4) as indicator, i / 4.0::double as value, if(i % 9 = 0, 1, 0) as is_imputed
    from range({rows}) as range(i) order by i
"""
UNITS = """
    select md5(i::varchar)[:24] as unit_id, 'commune' as unit_type, lpad(i::varchar, 5, '0') as unit_code,
        's' as stratum, if(i = 30, null, '11') as region_code,
        lpad((i % 5)::varchar, 2, '0') as departement_code,
        i * 100 as population
    from range({rows}) as range(i) order by i
"""
SUITES = {
    "raw_asco__answers": ANSWERS,
    "stg_asco__answers": ANSWERS,
    "est_asco__indicators": INDICATORS,
    "stg_asco__units": UNITS,
}
