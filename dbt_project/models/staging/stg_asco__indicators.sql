-- One row per indicator and question that it is made of.
select
    unit_type,
    indicator,
    kind,
    rule,
    question,
    role,
    low,
    high,
    choice,
    when_filtered,
    label_fr,
    label_en
from {{ source('sources', 'raw_asco__indicators') }}
order by unit_type, indicator, question
