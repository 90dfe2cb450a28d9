-- One row per question of the wave's questionnaires.
select
    unit_type,
    question,
    module,
    question_type,
    unit,
    asked_if,
    filters,
    minimum,
    maximum,
    choices,
    label_fr,
    label_en
from {{ source('sources', 'raw_asco__questions') }}
order by unit_type, question
