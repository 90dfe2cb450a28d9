-- One row per returned unit and question of its questionnaire, with what the edit rules made of it.
with

cleared as (
    select distinct
        unit_id,
        unnest(string_split(cleared, '|')) as question
    from {{ ref('stg_asco__edit_log') }}
    where action = 'set_missing'
),

edited as (
    select
        given.unit_id,
        given.unit_type,
        given.question,
        given.question_type,
        given.given_value,
        -- hard edits: an answer that cannot be is set to missing and flagged, never changed
        case
            when given.edit_status = 'answered' and cleared.question is not null then 'set_missing'
            else given.edit_status
        end as edit_status
    from {{ ref('stg_asco__given') }} as given
    left join cleared on given.unit_id = cleared.unit_id and given.question = cleared.question
)

select
    unit_id,
    unit_type,
    question,
    case
        when edit_status <> 'answered' then null
        when question_type in ('decimal', 'amount') then replace(given_value, ',', '.')
        else given_value
    end as value,
    edit_status
from edited
order by unit_type, unit_id, question
