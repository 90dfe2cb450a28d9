-- One row per table and year: the total printed for métropole beside the sum of its départements.
with

tables as (
    select * from {{ source('sources', 'raw_drees__aid_beneficiaries') }}
    union all by name
    select * from {{ source('sources', 'raw_drees__aid_spending') }}
    union all by name
    select * from {{ source('sources', 'raw_drees__aid_staff') }}
),

printed as (
    -- the regional block repeats the total; where both differ (PH-tab6, 2015 to 2018) the first is the sum
    select
        measure,
        table_id as indicator,
        year,
        arg_min(value, source_row) as printed_total
    from tables
    where row_kind = 'total' and trim(lower(area_name)) = 'total estimé france métropolitaine'
    group by measure, table_id, year
),

summed as (
    select
        measure,
        indicator,
        year,
        sum(value) as departement_sum,
        count(*) - count(value) as missing_departements
    from {{ ref('stg_aid__departements') }}
    where not is_part and departement_code not like '97%'
    group by measure, indicator, year
)

select
    printed.measure,
    printed.indicator,
    printed.year,
    printed.printed_total,
    summed.departement_sum,
    summed.missing_departements,
    printed.printed_total - summed.departement_sum as difference
from printed
inner join summed
    on
        printed.measure = summed.measure
        and printed.indicator = summed.indicator
        and printed.year = summed.year
-- a total over départements of which some are missing is an estimate of the publisher's, not a sum
where printed.printed_total is not null and summed.missing_departements = 0
order by printed.measure, printed.indicator, printed.year
