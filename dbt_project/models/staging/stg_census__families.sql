-- One row per département of the census individuals, if any: its families with children.
with

individuals as (
    select
        departement_code,
        year,
        living,
        population
    from {{ source('sources', 'raw_insee__census_individuals') }}
),

counted as (
    select
        departement_code,
        max(year) as census_year,
        coalesce(sum(population) filter (where living = 'single_parent'), 0) as single_parent_families,
        -- both adults of a couple are in the file
        coalesce(sum(population) filter (where living = 'couple_with_children'), 0) / 2
            as couples_with_children
    from individuals
    group by departement_code
)

select
    departement_code,
    cast(census_year as integer) as census_year,
    single_parent_families,
    couples_with_children,
    single_parent_families + couples_with_children as families_with_children,
    single_parent_families / nullif(single_parent_families + couples_with_children, 0) as share_single_parent
from counted
order by departement_code
