-- One row per indicator and released département whose estimate is modelled, rounded.
with

modelled as (
    -- the direct estimate beside it is the released one, in the same digits, null where that is suppressed
    select
        models.*,
        cells.estimate as direct_estimate
    from {{ source('confidentiality', 'sec_asco__model_estimates') }} as models
    left join {{ ref('pub_asco__cells') }} as cells
        on
            models.unit_type = cells.unit_type
            and models.indicator = cells.indicator
            and models.statistic = cells.statistic
            and models.geography = cells.geography
            and models.area_code = cells.area_code
            and cells.size_class = 'total'
),

rounded as (
    -- Shares to a point, communes too: with the direct share a modelled one is a second equation on the
    -- answers of the département, and a tenth of a point would be finer than one answer.
    select
        *,
        case when statistic = 'total' then {{ wave_value('decimals_total') }} else 2 end as decimals,
        case when statistic = 'total' then {{ wave_value('decimals_total') }} else 3 end as decimals_rmse
    from modelled
),

final as (
    select
        unit_type,
        indicator,
        statistic,
        geography,
        area_code,
        round(round(estimate, 9), decimals) as estimate,
        round(round(rmse, 9), decimals_rmse) as rmse,
        round(round(ci_low, 9), decimals) as ci_low,
        round(round(ci_high, 9), decimals) as ci_high,
        direct_estimate,
        round(round(direct_weight, 9), 2) as direct_weight,
        method,
        quality_flag
    from rounded
)

select * from final
order by unit_type, indicator, statistic, geography, area_code
