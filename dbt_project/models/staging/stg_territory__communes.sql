-- One row per commune of the wave's frame, in the geography of the DGCL's list.
with

reconciled as (
    select
        commune_code,
        commune_name,
        epci_siren,
        cast(population as bigint) as population,
        in_list,
        in_populations,
        {{ departement_of('commune_code') }} as departement_code
    from {{ source('staging', 'stg_territory__populations') }}
),

final as (
    select
        reconciled.commune_code,
        reconciled.commune_name,
        reconciled.departement_code,
        departements.region_code,
        reconciled.epci_siren,
        reconciled.population,
        {{ size_class('reconciled.population', wave_value('commune_size_classes')) }} as size_class,
        cast(not reconciled.in_list as integer) as outside_epci,
        cast(not reconciled.in_populations as integer) as absent_from_populations
    from reconciled
    left join {{ ref('stg_territory__departements') }} as departements
        on reconciled.departement_code = departements.departement_code
)

select * from final
order by commune_code
