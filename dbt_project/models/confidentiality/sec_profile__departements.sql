-- One row a département: its profile beside the local social action that may be released of it.
with

released as (
    select
        indicator,
        area_code,
        round(round(estimate, 9), {{ wave_value('decimals_commune_share') }}) as estimate
    from {{ source('confidentiality', 'sec_asco__cells') }}
    where
        unit_type = 'commune'
        and statistic = 'share'
        and geography = 'departement'
        and size_class = 'total'
        -- what is not released as a cell is not released here either
        and status = 'V'
),

local_action as (
    select
        area_code as departement_code,
        max(estimate) filter (where indicator = 'any_action') as communes_with_action_share,
        max(estimate) filter (where indicator = 'ccas') as communes_with_ccas_share,
        max(estimate) filter (where indicator = 'act_elderly') as communes_acting_for_elderly_share
    from released
    group by area_code
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
    local_action.communes_with_ccas_share,
    local_action.communes_acting_for_elderly_share
from {{ ref('est_profile__departements') }} as profile
left join local_action on profile.departement_code = local_action.departement_code
order by profile.departement_code
