-- One row per area and domain: the same domain seen from the commune, the EPCI and the département.
with

domains as (
    -- the sector of local action that faces each legal duty of the département
    select
        'elderly' as domain,
        'act_elderly' as indicator
    union all
    select
        'disability' as domain,
        'act_disability' as indicator
    union all
    select
        'child' as domain,
        'act_youth_family' as indicator
    union all
    select
        'inclusion' as domain,
        'act_poverty' as indicator
),

areas as (
    select distinct
        'region' as geography,
        region_code as area_code
    from {{ ref('stg_territory__communes') }}
    union all
    select distinct
        'departement' as geography,
        departement_code as area_code
    from {{ ref('stg_territory__communes') }}
),

survey as (
    select
        estimates.geography,
        estimates.area_code,
        domains.domain,
        {%- for unit_type in ('commune', 'epci') %}
        {%- for column, statistic, name in [
            ('estimate', 'share', 'acting_share'),
            ('standard_error', 'share', 'acting_share_se'),
            ('estimate', 'population_share', 'population_covered_share'),
            ('respondents', 'share', 'respondents'),
        ] %}
                max(estimates.{{ column }}) filter (
                    where estimates.unit_type = '{{ unit_type }}' and estimates.statistic = '{{ statistic }}'
                ) as {{ unit_type }}_{{ name }},
            {%- endfor %}
        {%- endfor %}
        domains.indicator as local_indicator
    from {{ source('estimation', 'est_asco__estimates') }} as estimates
    inner join domains on estimates.indicator = domains.indicator
    where
        estimates.size_class = 'total'
        -- groups of areas that are published together have no profile
        and (
            estimates.geography = 'france'
            or (estimates.geography, estimates.area_code) in (select * from areas)
        )
    group by estimates.geography, estimates.area_code, domains.domain, domains.indicator
),

aid_areas as (
    -- the value of Corse as a whole is on both its parts; it is added once
    select
        region_code,
        domain,
        aid_area_code,
        any_value(aid_year) as aid_year,
        any_value(spending_year) as spending_year,
        any_value(concerned_population) as concerned_population,
        any_value(beneficiaries) as beneficiaries,
        any_value(spending_keur) as spending_keur
    from {{ ref('est_profile__aid') }}
    where domain <> 'total'
    group by region_code, domain, aid_area_code
),

aid as (
    select
        case
            when grouping(aid_area_code) = 0 then 'departement'
            when grouping(region_code) = 0 then 'region'
            else 'france'
        end as geography,
        coalesce(aid_area_code, region_code, 'FR') as area_code,
        domain,
        any_value(aid_year) as aid_year,
        any_value(spending_year) as spending_year,
        -- areas without a value (Mayotte) are excluded from both sides of a rate
        sum(beneficiaries) as beneficiaries,
        sum(spending_keur) as spending_keur,
        sum(beneficiaries) / sum(concerned_population) filter (where beneficiaries is not null)
            as beneficiaries_per_concerned,
        1000 * sum(spending_keur) / sum(concerned_population) filter (where spending_keur is not null)
            as spending_eur_per_concerned
    from aid_areas
    group by grouping sets ((domain), (domain, region_code), (domain, region_code, aid_area_code))
),

placed as (
    -- from an area to the row it is read at: Corse as a whole at both its parts
    select
        aid.*,
        coalesce(parts.departement_code, aid.area_code) as read_at
    from aid
    left join {{ ref('est_profile__aid') }} as parts
        on
            aid.geography = 'departement'
            and aid.area_code = parts.aid_area_code
            and aid.domain = parts.domain
)

select
    survey.geography,
    survey.area_code,
    survey.domain,
    survey.local_indicator,
    survey.commune_acting_share,
    survey.commune_acting_share_se,
    survey.commune_population_covered_share,
    survey.commune_respondents,
    survey.epci_acting_share,
    survey.epci_acting_share_se,
    survey.epci_population_covered_share,
    survey.epci_respondents,
    placed.area_code as aid_area_code,
    placed.aid_year,
    placed.spending_year,
    placed.beneficiaries,
    placed.spending_keur,
    placed.beneficiaries_per_concerned,
    placed.spending_eur_per_concerned
from survey
left join placed
    on
        survey.geography = placed.geography
        and survey.area_code = placed.read_at
        and survey.domain = placed.domain
order by survey.geography, survey.area_code, survey.domain
