-- One row a released cell: every number of a suppressed cell is null, the others are rounded.
with

cells as (
    select * from {{ source('confidentiality', 'sec_asco__cells') }}
),

rounded as (
    -- shares to a ten-thousandth of a point, totals to a tenth: no false precision, and no last digit that
    -- depends on the order of a sum
    select
        *,
        case
            when statistic = 'total' then {{ wave_value('decimals_total') }}
            else {{ wave_value('decimals_share') }}
        end as decimals
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
        case when status = 'V' then round(estimate, decimals) end as estimate,
        case when status = 'V' then round(standard_error, decimals) end as standard_error,
        case when status = 'V' then round(ci_low, decimals) end as ci_low,
        case when status = 'V' then round(ci_high, decimals) end as ci_high,
        case when status = 'V' then round(cv, {{ wave_value('decimals_share') }}) end as cv,
        case when status = 'V' then cast(respondents as bigint) end as respondents,
        case
            when status = 'V' then round(weighted_units, {{ wave_value('decimals_total') }})
        end as weighted_units,
        -- what a share is a share of; without it nobody outside could add shares up, nor attack them
        case
            when status = 'V' then round(denominator, {{ wave_value('decimals_total') }})
        end as denominator,
        status,
        case when status = 'V' then quality_flag end as quality_flag
    from rounded
)

select * from final
order by unit_type, indicator, statistic, geography, area_code, size_class
