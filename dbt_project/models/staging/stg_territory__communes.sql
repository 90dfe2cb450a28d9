-- One row a commune of the wave's frame: the DGCL list of EPCI members ∪ the legal populations.
with

listed as (
    select
        -- the 2014 edition lost the leading zero of the codes of départements 01 to 09
        lpad(commune_code, 5, '0') as commune_code,
        commune_name,
        epci_siren,
        commune_population_municipal as population
    from {{ source('sources', 'raw_dgcl__epci_members') }}
    -- newer editions list syndicates and territorial bodies too, whose members overlap those of the EPCI
    where epci_nature in ('CC', 'CA', 'CU', 'SAN', 'METRO', 'MET69', 'METLYON')
),

counted as (
    select
        commune_code,
        commune_name,
        population
    from {{ source('sources', 'raw_insee__legal_populations') }}
),

frame as (
    select
        coalesce(counted.commune_code, listed.commune_code) as commune_code,
        coalesce(counted.commune_name, listed.commune_name) as commune_name,
        listed.epci_siren,
        -- communes merged between the two files keep the population of the list
        cast(coalesce(counted.population, listed.population) as bigint) as population,
        listed.commune_code is not null as in_epci_list,
        counted.commune_code is not null as in_population_file
    from listed
    full outer join counted on listed.commune_code = counted.commune_code
),

located as (
    select
        *,
        {{ departement_of('commune_code') }} as departement_code
    from frame
),

final as (
    select
        located.commune_code,
        located.commune_name,
        located.departement_code,
        departements.region_code,
        located.epci_siren,
        located.population,
        {{ size_class('located.population', wave_value('commune_size_classes')) }} as size_class,
        cast(not located.in_epci_list as integer) as outside_epci,
        cast(not located.in_population_file as integer) as absent_from_populations
    from located
    left join {{ ref('stg_territory__departements') }} as departements
        on located.departement_code = departements.departement_code
)

select * from final
order by commune_code
