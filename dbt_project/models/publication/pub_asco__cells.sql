-- One row per released cell: every number of a suppressed cell is null, the others are rounded.
with

cells as (
    select * from {{ source('confidentiality', 'sec_asco__cells') }}
),

rounded as (
    -- no false precision, no last digit that depends on the order of a sum (ties are rounded twice), and none
    -- that helps an intruder: shares of population to a point, since a tenth of one can reveal a single town
    select
        *,
        case
            when statistic = 'total' then {{ wave_value('decimals_total') }}
            when statistic = 'population_share' then {{ wave_value('decimals_population_share') }}
            when unit_type = 'epci' then {{ wave_value('decimals_epci_share') }}
            else {{ wave_value('decimals_commune_share') }}
        end as decimals,
        case
            when unit_type = 'epci' then {{ wave_value('decimals_epci_share') }}
            else {{ wave_value('decimals_commune_share') }}
        end as decimals_cv
    from cells
),

final as (
    select
        unit_type,
        indicator,
        statistic,
        geography,
        area_code,
        size_class,
        case when status = 'V' then round(round(estimate, 9), decimals) end as estimate,
        case when status = 'V' then round(round(standard_error, 9), decimals) end as standard_error,
        case when status = 'V' then round(round(ci_low, 9), decimals) end as ci_low,
        case when status = 'V' then round(round(ci_high, 9), decimals) end as ci_high,
        case when status = 'V' then round(round(cv, 9), decimals_cv) end as cv,
        case when status = 'V' then cast(respondents as bigint) end as respondents,
        case when status = 'V' then round(round(weighted_units, 6)) end as weighted_units,
        -- what a share is a share of; without it nobody outside could add shares up, nor attack them
        case when status = 'V' then round(round(denominator, 6)) end as denominator,
        -- one status for every suppressed cell: the rule that closed it would tell its value
        case when status = 'V' then 'V' else 'c' end as status,
        case when status = 'V' then quality_flag end as quality_flag,
        cast(as_of as varchar) as as_of
    from rounded
)

select * from final
order by unit_type, indicator, statistic, geography, area_code, size_class
