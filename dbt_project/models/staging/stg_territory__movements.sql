-- One row per commune of the former wave's geography and a commune of today that holds part of it.
with

former as (
    select
        commune_code as former_code,
        {{ departement_of('commune_code') }} as former_departement_code
    from {{ source('staging', 'stg_territory__former_communes') }}
),

passage as (
    select
        former_code,
        commune_code
    from {{ source('sources', 'raw_insee__commune_passage') }}
),

today as (
    select
        commune_code,
        departement_code,
        region_code
    from {{ ref('stg_territory__communes') }}
),

pairs as (
    select
        former.former_code,
        former.former_departement_code,
        today.commune_code,
        today.departement_code,
        today.region_code
    from former
    left join passage on former.former_code = passage.former_code
    -- a file of events leaves out communes that none happened to
    left join today on coalesce(passage.commune_code, former.former_code) = today.commune_code
),

counted as (
    select
        *,
        count(commune_code) over (partition by former_code) as communes_of_former,
        count(former_code) over (partition by commune_code) as former_of_commune
    from pairs
),

split_off as (
    -- communes of today that the former list knew as parts of others; nothing of those that it leaves out
    select
        today.commune_code,
        today.departement_code,
        today.region_code
    from today
    where
        today.departement_code in (select former_departement_code from former)
        and today.commune_code not in (
            select commune_code from pairs
            where commune_code is not null
        )
),

united as (
    select
        former_code,
        former_departement_code,
        commune_code,
        departement_code,
        region_code,
        case
            when commune_code is null then 'unmapped'
            when communes_of_former > 1 then 'split'
            when former_of_commune > 1 then 'merged'
            when former_code <> commune_code then 'recoded'
            else 'unchanged'
        end as movement
    from counted
    union all
    select
        null as former_code,
        null as former_departement_code,
        commune_code,
        departement_code,
        region_code,
        'split_off' as movement
    from split_off
),

final as (
    select
        united.former_code,
        united.former_departement_code,
        departements.region_code as former_region_code,
        united.commune_code,
        united.departement_code,
        united.region_code,
        united.movement
    from united
    left join {{ ref('stg_territory__departements') }} as departements
        on united.former_departement_code = departements.departement_code
)

select * from final
order by former_code nulls last, commune_code
