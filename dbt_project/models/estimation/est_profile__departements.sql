-- One row per département: its population, its legal social aid and its local social action, side by side.
with

population as (
    select
        departement_code,
        max(population) filter (where age_band = 'total') as population,
        sum(population) filter (where age_band in ('75_79', '80_84', '85_89', '90_94', '95_plus')) as from_75,
        sum(population) filter (where age_band in ('00_04', '05_09', '10_14', '15_19')) as under_20
    from {{ ref('stg_census__population') }}
    where sex = 'T'
    group by departement_code
),

living_alone as (
    select
        departement_code,
        sum(alone) as people_75_plus_alone,
        sum(alone) / nullif(sum(population), 0) as share_75_plus_alone
    from {{ ref('stg_census__living_alone') }}
    where sex = 'T' and age_band in ('75_79', '80_84', '85_89', '90_94', '95_plus')
    group by departement_code
),

aid as (
    select
        departement_code,
        -- a number of Corse as a whole is the number of neither of its parts; a rate holds for both
        max(beneficiaries) filter (where domain = 'elderly' and is_own) as elderly_beneficiaries,
        max(beneficiaries) filter (where domain = 'disability' and is_own) as disability_beneficiaries,
        max(beneficiaries) filter (where domain = 'child' and is_own) as child_beneficiaries,
        max(spending_keur) filter (where domain = 'total' and is_own) as total_gross_spending_keur,
        max(beneficiaries_per_concerned) filter (where domain = 'elderly')
            as elderly_beneficiaries_per_75_plus,
        max(beneficiaries_per_concerned) filter (where domain = 'disability')
            as disability_beneficiaries_per_20_64,
        max(beneficiaries_per_concerned) filter (where domain = 'child') as child_beneficiaries_per_under_20,
        max(spending_eur_per_concerned) filter (where domain = 'total') as gross_spending_eur_per_inhabitant,
        max(spending_eur_per_concerned) filter (where domain = 'elderly') as elderly_spending_eur_per_75_plus,
        max(spending_eur_per_concerned) filter (where domain = 'disability')
            as disability_spending_eur_per_20_64,
        max(spending_eur_per_concerned) filter (where domain = 'child') as child_spending_eur_per_under_20,
        max(spending_eur_per_concerned) filter (where domain = 'inclusion')
            as inclusion_spending_eur_per_20_64,
        max(aid_area_code) filter (where domain = 'total') as aid_area_code,
        max(aid_year) as aid_year,
        max(spending_year) as spending_year
    from {{ ref('est_profile__aid') }}
    group by departement_code
),

staff as (
    select
        departement_code,
        max(value) as staff_fte
    from {{ ref('stg_aid__departements') }}
    where year = {{ wave_value('aid_year') }} and indicator = 'etp - total general hors AF'
    group by departement_code
),

-- unmasked estimates: these columns stay in this layer, sec_profile__departements takes V cells only
local_action as (
    select
        area_code as departement_code,
        {%- for unit_type, indicator, statistic, name in [
            ('commune', 'any_action', 'share', 'communes_acting_share'),
            ('commune', 'any_action', 'population_share', 'population_covered_share'),
            ('commune', 'sectors_7_plus', 'share', 'communes_7_sectors_share'),
            ('commune', 'ccas', 'share', 'communes_ccas_share'),
            ('commune', 'act_elderly', 'share', 'communes_elderly_share'),
            ('commune', 'act_disability', 'share', 'communes_disability_share'),
            ('commune', 'act_youth_family', 'share', 'communes_child_share'),
            ('commune', 'act_poverty', 'share', 'communes_inclusion_share'),
            ('commune', 'staff_fte', 'total', 'communes_staff_fte'),
            ('epci', 'any_action', 'share', 'epci_acting_share'),
        ] %}
            max(estimate) filter (
                where unit_type = '{{ unit_type }}'
                and indicator = '{{ indicator }}'
                and statistic = '{{ statistic }}'
            ) as {{ name }},
        {%- endfor %}
        sum(estimate) filter (
            where unit_type = 'commune' and statistic = 'total' and indicator in (
                'benefit_in_kind_eur',
                'benefit_non_repayable_eur',
                'benefit_repayable_eur',
                'benefit_voucher_eur'
            )
        ) as communes_benefits_eur
    from {{ source('estimation', 'est_asco__estimates') }}
    where geography = 'departement' and size_class = 'total'
    group by area_code
),

joined as (
    select
        departements.departement_code,
        departements.departement_name,
        departements.region_code,
        departements.region_name,
        population.population,
        population.from_75 / population.population as share_75_plus,
        population.under_20 / population.population as share_under_20,
        living_alone.people_75_plus_alone,
        living_alone.share_75_plus_alone,
        families.families_with_children,
        families.share_single_parent as share_single_parent_families,
        families.census_year,
        aid.elderly_beneficiaries,
        aid.elderly_beneficiaries_per_75_plus,
        aid.disability_beneficiaries,
        aid.disability_beneficiaries_per_20_64,
        aid.child_beneficiaries,
        aid.child_beneficiaries_per_under_20,
        aid.total_gross_spending_keur,
        aid.gross_spending_eur_per_inhabitant,
        aid.elderly_spending_eur_per_75_plus,
        aid.disability_spending_eur_per_20_64,
        aid.child_spending_eur_per_under_20,
        aid.inclusion_spending_eur_per_20_64,
        staff.staff_fte,
        aid.aid_year,
        aid.spending_year,
        aid.aid_area_code,
        local_action.* exclude (departement_code),
        local_action.communes_benefits_eur / population.population as communes_benefits_eur_per_inhabitant,
        10000 * local_action.communes_staff_fte / population.population as communes_staff_fte_per_10000,
        -- how widely communes act in the four domains that départements have legal duties in
        (
            local_action.communes_elderly_share + local_action.communes_disability_share
            + local_action.communes_child_share + local_action.communes_inclusion_share
        ) / 4 as local_breadth
    from {{ ref('stg_territory__departements') }} as departements
    left join population on departements.departement_code = population.departement_code
    left join living_alone on departements.departement_code = living_alone.departement_code
    left join {{ ref('stg_census__families') }} as families
        on departements.departement_code = families.departement_code
    left join aid on departements.departement_code = aid.departement_code
    left join staff on departements.departement_code = staff.departement_code
    left join local_action on departements.departement_code = local_action.departement_code
),

medians as (
    select
        median(local_breadth) as local_breadth,
        median(gross_spending_eur_per_inhabitant) as spending
    from joined
),

final as (
    select
        joined.*,
        {%- for column, name in [
            ('share_75_plus', 'rank_share_75_plus'),
            ('gross_spending_eur_per_inhabitant', 'rank_spending_per_inhabitant'),
            ('elderly_beneficiaries_per_75_plus', 'rank_elderly_beneficiaries'),
            ('local_breadth', 'rank_local_breadth'),
            ('communes_benefits_eur_per_inhabitant', 'rank_communes_benefits'),
        ] %}
            case
                when joined.{{ column }} is not null
                    then cast(rank() over (order by joined.{{ column }} desc nulls last) as integer)
            end as {{ name }},
        {%- endfor %}
        case
            when joined.local_breadth is null or joined.gross_spending_eur_per_inhabitant is null then null
            when joined.local_breadth >= medians.local_breadth
                then
                    case
                        when
                            joined.gross_spending_eur_per_inhabitant >= medians.spending
                            then 'local_and_legal'
                        else 'local_led'
                    end
            when joined.gross_spending_eur_per_inhabitant >= medians.spending then 'legal_led'
            else 'neither'
        end as typology
    from joined
    cross join medians
)

select * from final
order by departement_code
