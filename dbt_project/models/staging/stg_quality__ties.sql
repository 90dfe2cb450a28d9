-- One row per tie and area: two numbers from different files, or parts of one, that must agree.
with

listed as (
    select
        members.epci_siren,
        max(members.epci_population_municipal) as announced,
        sum(members.commune_population_municipal) as added
    from {{ source('sources', 'raw_dgcl__epci_members') }} as members
    inner join {{ ref('stg_territory__epci') }} as epci on members.epci_siren = epci.epci_siren
    group by members.epci_siren
),

communes as (
    -- only communes that are the same in both files: a merger is no disagreement
    select
        commune_code,
        counted_population,
        listed_population,
        {{ departement_of('commune_code') }} as departement_code
    from {{ source('staging', 'stg_territory__populations') }}
    where listed_population is not null and population = counted_population
),

frame as (
    select
        departement_code,
        sum(population) as population
    from {{ ref('stg_territory__communes') }}
    group by departement_code
),

census as (
    select
        departement_code,
        max(population) filter (where sex = 'T' and age_band = 'total') as total,
        sum(population) filter (where sex <> 'T' and age_band = 'total') as both_sexes,
        sum(population) filter (where sex = 'T' and age_band <> 'total') as age_bands
    from {{ ref('stg_census__population') }}
    group by departement_code
),

printed_population as (
    -- the widest total of the sheet, métropole and overseas; Mayotte is in it from 2014 on
    select max(population) as printed
    from {{ source('sources', 'raw_insee__population_age_sex') }}
    where row_kind = 'total' and sex = 'T' and lower(age_band) = 'total'
),

aid_tables as (
    select
        measure,
        table_id,
        year,
        row_kind,
        area_code,
        value
    from {{ source('sources', 'raw_drees__aid_beneficiaries') }}
    union all by name
    select
        measure,
        table_id,
        year,
        row_kind,
        area_code,
        value
    from {{ source('sources', 'raw_drees__aid_spending') }}
),

aid_regions as (
    select
        measure,
        table_id,
        year,
        area_code,
        max(value) as printed
    from aid_tables
    where row_kind = 'region'
    group by measure, table_id, year, area_code
),

aid_departements as (
    select
        aid.measure,
        aid.indicator,
        aid.year,
        -- the aid workbooks use other codes for the régions overseas
        case when length(departements.departement_code) = 3 then '1' else '' end
        || departements.region_code as area_code,
        sum(aid.value) as added,
        count(*) - count(aid.value) as missing
    from {{ ref('stg_aid__departements') }} as aid
    inner join {{ ref('stg_territory__departements') }} as departements
        on aid.departement_code = departements.departement_code
    where not aid.is_part
    group by aid.measure, aid.indicator, aid.year, departements.departement_code, departements.region_code
),

aid_added as (
    select
        measure,
        indicator,
        year,
        area_code,
        sum(added) as added,
        sum(missing) as missing
    from aid_departements
    group by measure, indicator, year, area_code
),

ties as (
    select
        'epci_is_its_communes' as tie,
        epci_siren as area_code,
        announced as expected,
        added as found
    from listed
    union all
    select
        'dgcl_is_insee' as tie,
        departement_code as area_code,
        sum(counted_population) as expected,
        sum(listed_population) as found
    from communes
    group by departement_code
    union all
    select
        'frame_is_census' as tie,
        census.departement_code as area_code,
        census.total as expected,
        frame.population as found
    from census
    inner join frame on census.departement_code = frame.departement_code
    union all
    select
        'both_sexes' as tie,
        departement_code as area_code,
        total as expected,
        both_sexes as found
    from census
    union all
    select
        'age_bands' as tie,
        departement_code as area_code,
        total as expected,
        age_bands as found
    from census
    union all
    select
        'france_is_its_departements' as tie,
        'FR' as area_code,
        max(printed_population.printed) as expected,
        sum(census.total) as found
    from census
    cross join printed_population
    union all
    select
        'aid_region_is_its_departements' as tie,
        aid_regions.measure || ' ' || aid_regions.table_id || ' ' || aid_regions.year || ' '
        || aid_regions.area_code as area_code,
        aid_regions.printed as expected,
        aid_added.added as found
    from aid_regions
    inner join aid_added
        on
            aid_regions.measure = aid_added.measure
            and aid_regions.table_id = aid_added.indicator
            and aid_regions.year = aid_added.year
            and aid_regions.area_code = aid_added.area_code
    -- a région over départements of which one is missing is an estimate of the publisher's, not a sum
    where aid_regions.printed is not null and aid_added.missing = 0
)

select
    tie,
    area_code,
    cast(expected as double) as expected,
    cast(found as double) as found,
    cast(found - expected as double) as difference,
    cast(found / nullif(expected, 0) - 1 as double) as relative_difference
from ties
order by tie, area_code
