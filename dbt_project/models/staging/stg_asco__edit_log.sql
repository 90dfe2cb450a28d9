-- One row per returned unit and edit rule that it breaks, with the answers concerned and what was done.
with

answers as (
    select
        given.*,
        units.population,
        -- what a rule adds up: a question that does not arise counts zero
        case when given.edit_status = 'not_asked' then 0.0 else given.number end as counted
    from {{ ref('stg_asco__given') }} as given
    inner join {{ ref('stg_asco__units') }} as units on given.unit_id = units.unit_id
),

alone as (
    select
        unit_id,
        unit_type,
        broken_rule || ':' || question as edit,
        broken_rule as rule,
        'hard' as severity,
        question || '=' || given_value as answers,
        question as cleared
    from answers
    where broken_rule is not null
),

read as (
    select
        answers.unit_id,
        answers.unit_type,
        answers.population,
        answers.question,
        answers.given_value,
        answers.edit_status,
        answers.counted,
        edits.edit,
        edits.rule,
        edits.severity,
        edits.role,
        edits.low,
        edits.high,
        edits.tolerance,
        edits.cleared,
        case
            when edits.role <> 'condition' then null
            when answers.edit_status in ('item_nonresponse', 'set_missing') then null
            when edits.choice is not null
                then answers.edit_status = 'answered' and answers.given_value = edits.choice
            else answers.counted > 0
        end as holds
    from answers
    inner join {{ source('sources', 'raw_asco__edits') }} as edits
        on answers.unit_type = edits.unit_type and answers.question = edits.question
),

summed as (
    select
        unit_id,
        unit_type,
        edit,
        rule,
        severity,
        cleared,
        any_value(population) as population,
        any_value(low) as low,
        any_value(high) as high,
        any_value(tolerance) as tolerance,
        coalesce(sum(counted) filter (where role = 'term'), 0) as terms,
        coalesce(sum(counted) filter (where role = 'bound'), 0) as bound,
        count(*) filter (where role = 'term' and edit_status = 'answered') as terms_answered,
        count(*) filter (where role = 'term' and counted is null) as terms_open,
        count(*) filter (where role = 'bound' and counted is null) as bounds_open,
        bool_and(holds) as holds
    from read
    group by unit_id, unit_type, edit, rule, severity, cleared
),

judged as (
    select
        *,
        -- half a cent, or half a hundredth of a post: what rounding alone can make
        case rule
            when 'sum_at_most'
                then terms_answered > 0 and bounds_open = 0 and terms > bound * (1 + tolerance) + 0.005
            when 'sum_equals'
                then
                    terms_answered > 0
                    and terms_open + bounds_open = 0
                    and abs(terms - bound) > tolerance * bound + 0.005
            when 'ratio_between'
                then
                    terms_answered > 0
                    and terms_open + bounds_open = 0
                    and bound > 0
                    and not terms / bound between low and high
            when 'per_inhabitant_between'
                then
                    terms_answered > 0
                    and terms_open = 0
                    and population > 0
                    and not terms / population between low and high
            when 'positive_if' then holds and terms_open = 0 and terms = 0
            when 'zero_if' then holds and terms > 0
            when 'zero_if_not' then not holds and terms > 0
        end as is_broken
    from summed
),

concerned as (
    -- the answers are put together for the few rules that are broken, not for each unit and rule
    select
        read.unit_id,
        read.edit,
        string_agg(
            case when read.edit_status = 'answered' then read.question || '=' || read.given_value end,
            ' '
            order by read.question
        ) as answers
    from read
    semi join judged on judged.is_broken and read.unit_id = judged.unit_id and read.edit = judged.edit
    group by read.unit_id, read.edit
),

together as (
    select
        judged.unit_id,
        judged.unit_type,
        judged.edit,
        judged.rule,
        judged.severity,
        concerned.answers,
        judged.cleared
    from judged
    inner join concerned on judged.unit_id = concerned.unit_id and judged.edit = concerned.edit
    where judged.is_broken
),

final as (
    select * from alone
    union all
    select * from together
)

select
    unit_id,
    unit_type,
    edit,
    rule,
    severity,
    answers,
    cleared,
    case severity when 'hard' then 'set_missing' else 'to_check' end as action
from final
order by unit_type, unit_id, edit
