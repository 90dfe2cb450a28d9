-- One row per area: what became of the communes that it had in the former wave's geography.
with

movements as (
    select * from {{ ref('stg_territory__movements') }}
),

ends as (
        -- each end of a movement is in three areas (France, région, département)
    {%- for geography, former_area, area in [
        ('france', "'FR'", "'FR'"),
        ('region', 'former_region_code', 'region_code'),
        ('departement', 'former_departement_code', 'departement_code'),
    ] %}
        select
            '{{ geography }}' as geography,
            former_code,
            commune_code,
            movement,
            case when former_code is not null then {{ former_area }} end as former_area,
            case when commune_code is not null then {{ area }} end as area
        from movements
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}
),

then_there as (
    select
        geography,
        former_area as area_code,
        count(distinct former_code) as former_communes,
        count(distinct former_code) filter (where movement = 'unchanged') as unchanged,
        count(distinct former_code) filter (where movement = 'recoded') as recoded,
        count(distinct former_code) filter (where movement = 'merged') as merged,
        count(distinct former_code) filter (where movement = 'split') as split,
        count(distinct former_code) filter (where former_area <> area) as moved_out
    from ends
    where former_area is not null
    group by geography, former_area
),

there_now as (
    select
        geography,
        area as area_code,
        count(distinct commune_code) as communes,
        count(distinct commune_code) filter (where movement = 'split_off') as split_off,
        count(distinct former_code) filter (where former_area <> area) as moved_in
    from ends
    where area is not null
    group by geography, area
)

select
    then_there.geography,
    then_there.area_code,
    then_there.former_communes,
    then_there.unchanged,
    then_there.recoded,
    then_there.merged,
    then_there.split,
    then_there.moved_out,
    coalesce(there_now.communes, 0) as communes,
    coalesce(there_now.split_off, 0) as split_off,
    coalesce(there_now.moved_in, 0) as moved_in
from then_there
left join there_now
    on then_there.geography = there_now.geography and then_there.area_code = there_now.area_code
order by then_there.geography, then_there.area_code
