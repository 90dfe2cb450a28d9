-- One row per indicator, département and size class: units of the frame and sums over the respondents.
with

catalogue as (
    -- of indicators about part of the units only, nobody knows how many units they are about
    select distinct
        unit_type,
        indicator,
        kind
    from {{ ref('stg_asco__indicators') }}
    where when_filtered <> 'missing'
),

frame as (
    select
        unit_type,
        departement_code,
        size_class,
        count(*) as units,
        sum(population) as population
    from {{ ref('stg_asco__units') }}
    group by unit_type, departement_code, size_class
),

respondents as (
    select
        weights.unit_id,
        weights.unit_type,
        weights.weight,
        sample.departement_code,
        sample.size_class,
        sample.population
    from {{ source('estimation', 'est_asco__weights') }} as weights
    inner join {{ ref('est_asco__sample') }} as sample on weights.unit_id = sample.unit_id
),

design as (
    select
        unit_type,
        departement_code,
        size_class,
        sum(weight * greatest(weight - 1, 0) * population ** 2) as spread,
        sum(weight * population) as reach
    from respondents
    group by unit_type, departement_code, size_class
),

answered as (
    select
        respondents.unit_type,
        answers.indicator,
        respondents.departement_code,
        respondents.size_class,
        count(*) as answers,
        sum(respondents.weight) as weight,
        sum(respondents.weight ** 2) as weight_squared,
        sum(respondents.weight * answers.value) as weighted_value
    from respondents
    inner join {{ ref('est_asco__indicators') }} as answers on respondents.unit_id = answers.unit_id
    where answers.value is not null
    group by respondents.unit_type, answers.indicator, respondents.departement_code, respondents.size_class
),

final as (
    select
        frame.unit_type,
        catalogue.indicator,
        catalogue.kind,
        frame.departement_code,
        frame.size_class,
        cast(frame.units as bigint) as units,
        cast(frame.population as bigint) as population,
        cast(coalesce(answered.answers, 0) as bigint) as answers,
        coalesce(answered.weight, 0) as weight,
        coalesce(answered.weight_squared, 0) as weight_squared,
        coalesce(answered.weighted_value, 0) as weighted_value,
        coalesce(design.spread, 0) as spread,
        coalesce(design.reach, 0) as reach
    from frame
    inner join catalogue on frame.unit_type = catalogue.unit_type
    left join design
        on
            frame.unit_type = design.unit_type
            and frame.departement_code = design.departement_code
            and frame.size_class = design.size_class
    left join answered
        on
            frame.unit_type = answered.unit_type
            and catalogue.indicator = answered.indicator
            and frame.departement_code = answered.departement_code
            and frame.size_class = answered.size_class
)

select * from final
order by unit_type, indicator, departement_code, size_class
