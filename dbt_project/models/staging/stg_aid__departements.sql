-- One row per year, département (or body that holds its powers) and table of the Aide sociale survey.
with

tables as (
    select * from {{ source('sources', 'raw_drees__aid_beneficiaries') }}
    union all by name
    select * from {{ source('sources', 'raw_drees__aid_spending') }}
    union all by name
    select * from {{ source('sources', 'raw_drees__aid_staff') }}
)

select
    year,
    area_code as departement_code,
    domain,
    measure,
    table_id as indicator,
    label,
    value,
    is_provisional,
    -- Corse (20) and the former Rhône (69) are listed beside their parts, which must not be added twice
    area_code in ('2A', '2B', '69D', '69M') as is_part,
    source_file,
    source_sheet,
    source_row
from tables
where row_kind = 'departement'
order by measure, indicator, departement_code, year
