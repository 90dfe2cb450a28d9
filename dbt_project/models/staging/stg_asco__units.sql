-- One row per unit of the frame, commune or EPCI: where its code becomes its pseudonym.
with

communes as (
    select
        'commune' as unit_type,
        communes.commune_code as unit_code,
        communes.departement_code,
        communes.region_code,
        communes.size_class,
        communes.population,
        epci.epci_nature
    from {{ ref('stg_territory__communes') }} as communes
    left join {{ ref('stg_territory__epci') }} as epci on communes.epci_siren = epci.epci_siren
),

epci as (
    select
        'epci' as unit_type,
        epci_siren as unit_code,
        departement_code,
        region_code,
        size_class,
        population,
        epci_nature
    from {{ ref('stg_territory__epci') }}
),

units as (
    select
        *,
        {{ stratum('commune', wave_value('commune_strata')) }} as stratum
    from communes
    union all
    select
        *,
        {{ stratum('epci', wave_value('epci_strata')) }} as stratum
    from epci
),

final as (
    select
        pseudonym(unit_type || ':' || unit_code) as unit_id,
        unit_type,
        unit_code,
        departement_code,
        region_code,
        size_class,
        population,
        coalesce(epci_nature, 'none') as epci_nature,
        stratum
    from units
)

select * from final
order by unit_id
