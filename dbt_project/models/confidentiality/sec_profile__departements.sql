-- One row per département: its profile beside the local social action that may be released of it.
{%- set shares = [
    ('any_action', 'communes_with_action_share'),
    ('ccas', 'communes_with_ccas_share'),
    ('act_elderly', 'communes_acting_for_elderly_share'),
] %}
with

released as (
    select
        indicator,
        area_code,
        quality_flag,
        round(round(estimate, 9), {{ wave_value('decimals_commune_share') }}) as estimate,
        round(round(standard_error, 9), {{ wave_value('decimals_commune_share') }}) as standard_error
    from {{ source('confidentiality', 'sec_asco__cells') }}
    where
        unit_type = 'commune'
        and statistic = 'share'
        and geography = 'departement'
        and size_class = 'total'
        and indicator in ('any_action', 'ccas', 'act_elderly')
        -- areas that are published together are no département
        and area_code in (select departement_code from {{ ref('est_profile__departements') }})
        -- what is not released as a cell is not released here either
        and status = 'V'
),

pairs as (
    select
        one.indicator,
        one.area_code,
        (other.estimate - one.estimate)
        / greatest(sqrt(one.standard_error ** 2 + other.standard_error ** 2), 1e-9) as errors_above
    from released as one
    inner join released as other on one.indicator = other.indicator
),

ranked as (
    -- Ranks that the errors leave open, the largest share first: from those surely above, to all but those
    -- surely below. Surely means by 3.5 errors of the difference, Bonferroni for some 100 comparisons, so
    -- that a département's true rank among those released lies between both with 95 % (Mogstad, Romano,
    -- Shaikh and Wilhelm, "Inference for ranks", Review of Economic Studies 91, 2024).
    select
        indicator,
        area_code,
        cast(1 + count(*) filter (where errors_above > 3.5) as integer) as rank_low,
        cast(count(*) - count(*) filter (where errors_above < -3.5) as integer) as rank_high
    from pairs
    group by indicator, area_code
),

local_action as (
    select
        released.area_code as departement_code,
        {%- for indicator, name in shares %}
            {%- for column in ['estimate', 'standard_error', 'quality_flag', 'rank_low', 'rank_high'] %}
                max({{ column }}) filter (where released.indicator = '{{ indicator }}')
                    as {{ name }}{{ '' if column == 'estimate' else '_' ~ column }}
                {%- if not loop.last %},{% endif %}
            {%- endfor %}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from released
    inner join ranked on released.indicator = ranked.indicator and released.area_code = ranked.area_code
    group by released.area_code
)

select
    -- never profile.*: its estimates of the survey are unmasked
    profile.departement_code,
    profile.departement_name,
    profile.region_code,
    profile.region_name,
    profile.population,
    profile.share_75_plus,
    cast(round(profile.people_75_plus_alone) as bigint) as people_75_plus_alone,
    profile.share_75_plus_alone,
    cast(round(profile.families_with_children) as bigint) as families_with_children,
    profile.share_single_parent_families,
    profile.census_year,
    profile.elderly_beneficiaries,
    profile.elderly_beneficiaries_per_75_plus,
    profile.disability_beneficiaries,
    profile.child_beneficiaries,
    profile.total_gross_spending_keur,
    profile.gross_spending_eur_per_inhabitant,
    profile.staff_fte,
    profile.aid_year,
    profile.spending_year,
    profile.aid_area_code,
    local_action.communes_with_action_share,
    local_action.communes_with_action_share_standard_error,
    local_action.communes_with_action_share_quality_flag,
    local_action.communes_with_action_share_rank_low,
    local_action.communes_with_action_share_rank_high,
    local_action.communes_with_ccas_share,
    local_action.communes_with_ccas_share_standard_error,
    local_action.communes_with_ccas_share_quality_flag,
    local_action.communes_with_ccas_share_rank_low,
    local_action.communes_with_ccas_share_rank_high,
    local_action.communes_acting_for_elderly_share,
    local_action.communes_acting_for_elderly_share_standard_error,
    local_action.communes_acting_for_elderly_share_quality_flag,
    local_action.communes_acting_for_elderly_share_rank_low,
    local_action.communes_acting_for_elderly_share_rank_high
from {{ ref('est_profile__departements') }} as profile
left join local_action on profile.departement_code = local_action.departement_code
order by profile.departement_code
