-- One row per EPCI of the wave's frame, with the population of its members.
with

members as (
    select
        epci_siren,
        departement_code,
        region_code,
        population
    from {{ ref('stg_territory__communes') }}
    where epci_siren is not null
),

natures as (
    select
        epci_siren,
        min(epci_nature) as epci_nature
    from {{ source('staging', 'stg_territory__populations') }}
    where epci_siren is not null
    group by epci_siren
),

listed as (
    select
        members.epci_siren,
        natures.epci_nature,
        min(members.epci_name) as epci_name,
        min(members.member_count) as member_count,
        min(members.epci_population_municipal) as listed_population
    from {{ source('sources', 'raw_dgcl__epci_members') }} as members
    inner join natures on members.epci_siren = natures.epci_siren
    group by members.epci_siren, natures.epci_nature
),

by_departement as (
    select
        epci_siren,
        departement_code,
        region_code,
        sum(population) as population
    from members
    group by epci_siren, departement_code, region_code
),

main_departement as (
    -- an EPCI over several départements belongs to the one where most of its inhabitants live
    select
        epci_siren,
        departement_code,
        region_code
    from by_departement
    qualify row_number() over (partition by epci_siren order by population desc, departement_code asc) = 1
),

totals as (
    select
        epci_siren,
        cast(sum(population) as bigint) as population,
        count(*) as members_found
    from members
    group by epci_siren
),

final as (
    select
        listed.epci_siren,
        listed.epci_name,
        listed.epci_nature,
        main_departement.departement_code,
        main_departement.region_code,
        totals.population,
        {{ size_class('totals.population', wave_value('epci_size_classes')) }} as size_class,
        listed.member_count,
        totals.members_found,
        listed.listed_population
    from listed
    inner join totals on listed.epci_siren = totals.epci_siren
    inner join main_departement on listed.epci_siren = main_departement.epci_siren
)

select * from final
order by epci_siren
