-- One row per département, sex and five-year age band (and their totals) of the census individuals, if any.
with

individuals as (
    select
        departement_code,
        sex,
        age_band,
        living,
        population
    from {{ source('sources', 'raw_insee__census_individuals') }}
),

counted as (
    select
        departement_code,
        coalesce(sex, 'T') as sex,
        coalesce(age_band, 'total') as age_band,
        sum(population) as population,
        coalesce(sum(population) filter (where living = 'alone'), 0) as alone,
        coalesce(sum(population) filter (where living = 'outside_household'), 0) as outside_household
    from individuals
    group by departement_code, cube (sex, age_band)
)

select
    counted.departement_code,
    counted.sex,
    counted.age_band,
    counted.population,
    counted.alone,
    counted.outside_household,
    counted.alone / counted.population as share_alone,
    cast(estimated.population as double) as estimated_population,
    counted.population / nullif(estimated.population, 0) - 1 as relative_difference
from counted
left join {{ ref('stg_census__population') }} as estimated
    on
        counted.departement_code = estimated.departement_code
        and counted.sex = estimated.sex
        and counted.age_band = estimated.age_band
order by counted.departement_code, counted.sex, counted.age_band
