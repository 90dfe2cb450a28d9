-- One row per returned unit and question: what was given, and whether it can be an answer at all.
with

grid as (
    select
        units.unit_id,
        units.unit_type,
        units.unit_code,
        questions.question,
        questions.question_type,
        questions.filters,
        questions.minimum,
        questions.maximum,
        questions.choices
    from {{ ref('stg_asco__returns') }} as returned
    inner join {{ ref('stg_asco__units') }} as units on returned.unit_id = units.unit_id
    inner join {{ ref('stg_asco__questions') }} as questions on units.unit_type = questions.unit_type
),

given as (
    select
        unit_type,
        unit_code,
        question,
        value
    from {{ source('sources', 'raw_asco__answers') }}
),

filters as (
    select
        unit_type,
        question,
        unnest(string_split(filters, '|')) as filter
    from {{ ref('stg_asco__questions') }}
),

filtered_out as (
    select distinct
        given.unit_type,
        given.unit_code,
        filters.question
    from filters
    inner join given
        on filters.unit_type = given.unit_type and filters.filter = given.question and given.value = '0'
),

compared as (
    select
        grid.*,
        given.value as given_value,
        filtered_out.question is not null as is_filtered_out,
        try_cast(replace(given.value, ',', '.') as double) as number
    from grid
    left join given
        on
            grid.unit_type = given.unit_type
            and grid.unit_code = given.unit_code
            and grid.question = given.question
    left join filtered_out
        on
            grid.unit_type = filtered_out.unit_type
            and grid.unit_code = filtered_out.unit_code
            and grid.question = filtered_out.question
),

judged as (
    select
        *,
        case
            when given_value is null then null
            -- a zero behind a “no” contradicts nothing: the question does not arise
            when is_filtered_out and coalesce(number, 1) <> 0 then 'filter'
            when question_type = 'choice' and not list_contains(string_split(choices, '|'), given_value)
                then 'choice'
            when question_type = 'boolean' and given_value not in ('0', '1') then 'type'
            when question_type in ('integer', 'decimal', 'amount') and not coalesce(isfinite(number), false)
                then 'type'
            when question_type = 'integer' and number <> floor(number) then 'type'
            when question_type <> 'choice' and (number < minimum or number > maximum) then 'range'
        end as broken_rule
    from compared
)

select
    unit_id,
    unit_type,
    question,
    question_type,
    given_value,
    case
        when question_type <> 'choice' and broken_rule is null and not is_filtered_out then number
    end as number,
    is_filtered_out,
    broken_rule,
    case
        when broken_rule is not null then 'set_missing'
        when is_filtered_out then 'not_asked'
        when given_value is null then 'item_nonresponse'
        else 'answered'
    end as edit_status
from judged
order by unit_type, unit_id, question
