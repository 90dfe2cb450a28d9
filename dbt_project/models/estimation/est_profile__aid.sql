-- One row per département and domain: legal social aid of the wave's year, per inhabitant concerned.
with

domains as (
    -- the tables of the workbooks that total a domain; RSA beneficiaries are in no table of this survey
    select
        'elderly' as domain,
        'Tab1-pa' as beneficiaries_table,
        'PA-tab2' as spending_table
    union all
    select
        'disability' as domain,
        'Tab1-ph' as beneficiaries_table,
        'PH-tab2' as spending_table
    union all
    select
        'child' as domain,
        'Tab1-ase' as beneficiaries_table,
        'ASE-tab2' as spending_table
    union all
    select
        'inclusion' as domain,
        null as beneficiaries_table,
        'RSA-RMI tab2' as spending_table
    union all
    select
        'total' as domain,
        null as beneficiaries_table,
        'Tot-tab2' as spending_table
),

known as (
    select
        year,
        departement_code as area_code,
        indicator,
        measure,
        -- a part of Corse or of the Rhône prints 0 spent in the years when the whole prints for both
        case when is_part then nullif(value, 0) else value end as value
    from {{ ref('stg_aid__departements') }}
    where measure in ('beneficiaries', 'spending_keur')
),

years as (
    -- spending is published a year later than beneficiaries: its latest year up to the wave's
    select
        cast({{ wave_value('aid_year') }} as integer) as aid_year,
        cast(max(year) as integer) as spending_year
    from known
    where measure = 'spending_keur' and value is not null and year <= {{ wave_value('aid_year') }}
),

population as (
    select
        departement_code,
        max(population) filter (where age_band = 'total') as total,
        sum(population) filter (where age_band in ('75_79', '80_84', '85_89', '90_94', '95_plus')) as from_75,
        sum(population) filter (
            where age_band in (
                '20_24', '25_29', '30_34', '35_39', '40_44', '45_49', '50_54', '55_59', '60_64'
            )
        ) as from_20_to_64,
        sum(population) filter (where age_band in ('00_04', '05_09', '10_14', '15_19')) as under_20
    from {{ ref('stg_census__population') }}
    where sex = 'T'
    group by departement_code
),

concerned as (
    select
        population.departement_code,
        domains.domain,
        case domains.domain
            when 'elderly' then population.from_75
            when 'child' then population.under_20
            when 'total' then population.total
            else population.from_20_to_64
        end as concerned_population
    from population
    cross join domains
),

own_values as (
    select
        known.area_code,
        domains.domain,
        max(known.value) filter (
            where known.indicator = domains.beneficiaries_table and known.year = years.aid_year
        ) as beneficiaries,
        max(known.value) filter (
            where known.indicator = domains.spending_table and known.year = years.spending_year
        ) as spending_keur
    from known
    inner join domains on known.indicator in (domains.beneficiaries_table, domains.spending_table)
    cross join years
    group by known.area_code, domains.domain
),

areas as (
    -- the Rhône is one département here (69); Corse, one body since 2018, gives its value to both parts (20)
    select
        departements.departement_code,
        departements.region_code,
        domains.domain,
        case
            when
                departements.departement_code in ('2A', '2B')
                and own.beneficiaries is null and own.spending_keur is null
                then '20'
            else departements.departement_code
        end as aid_area_code
    from {{ ref('stg_territory__departements') }} as departements
    cross join domains
    left join own_values as own
        on departements.departement_code = own.area_code and domains.domain = own.domain
),

area_concerned as (
    select
        areas.aid_area_code,
        areas.domain,
        sum(concerned.concerned_population) as concerned_population
    from areas
    left join concerned
        on areas.departement_code = concerned.departement_code and areas.domain = concerned.domain
    group by areas.aid_area_code, areas.domain
)

select
    areas.departement_code,
    areas.region_code,
    areas.domain,
    areas.aid_area_code,
    areas.aid_area_code = areas.departement_code as is_own,
    years.aid_year,
    years.spending_year,
    cast(area_concerned.concerned_population as bigint) as concerned_population,
    own_values.beneficiaries,
    own_values.spending_keur,
    own_values.beneficiaries / area_concerned.concerned_population as beneficiaries_per_concerned,
    1000 * own_values.spending_keur / area_concerned.concerned_population as spending_eur_per_concerned
from areas
cross join years
inner join area_concerned
    on areas.aid_area_code = area_concerned.aid_area_code and areas.domain = area_concerned.domain
left join own_values on areas.aid_area_code = own_values.area_code and areas.domain = own_values.domain
order by areas.departement_code, areas.domain
