-- One row per respondent and indicator; an indicator that its answers leave open is absent.
with

answers as (
    select
        answers.unit_id,
        answers.unit_type,
        definitions.indicator,
        definitions.rule,
        definitions.role,
        definitions.low,
        definitions.high,
        definitions.choice,
        answers.value,
        answers.edit_status,
        case
            when answers.edit_status = 'answered' then try_cast(answers.value as double)
            when imputed.value is not null then imputed.value
            when answers.edit_status = 'not_asked' and definitions.when_filtered = 'zero' then 0
        end as number,
        imputed.value is not null as is_imputed
    from {{ ref('stg_asco__answers') }} as answers
    inner join {{ ref('stg_asco__indicators') }} as definitions
        on answers.unit_type = definitions.unit_type and answers.question = definitions.question
    inner join {{ ref('est_asco__sample') }} as sample
        on answers.unit_id = sample.unit_id and sample.response_status = 'respondent'
    left join {{ source('estimation', 'est_asco__imputations') }} as imputed
        on answers.unit_id = imputed.unit_id and answers.question = imputed.question
),

judged as (
    select
        unit_id,
        unit_type,
        indicator,
        any_value(rule) as rule,
        bool_or(is_imputed) as is_imputed,
        max(number) as largest,
        sum(number) as added,
        count(number) = count(*) as complete,
        max(cast(value = choice as double)) as chosen,
        sum(number) between any_value(low) and any_value(high) as within,
        bool_or((role = 'yes' and number = 0) or (role = 'no' and number = 1)) as contradicted
    from answers
    group by unit_id, unit_type, indicator
),

valued as (
    select
        unit_id,
        unit_type,
        indicator,
        -- An indicator of several questions is open as soon as one of them is: to call it known because one
        -- answer settles it would keep more of the units that say yes than of those that say no.
        case rule
            when 'value' then largest
            when 'equals' then chosen
            when 'any' then case when complete then largest end
            when 'count_between' then case when complete then cast(within as double) end
            when 'pattern' then case when complete then 1.0 - cast(contradicted as double) end
        end as value,
        cast(is_imputed as integer) as is_imputed
    from judged
)

select
    unit_id,
    unit_type,
    indicator,
    value,
    is_imputed
from valued
where value is not null
order by unit_type, indicator, unit_id
