-- One row per sampled unit, as the delivered sample lists it.
select
    units.unit_id,
    sample.unit_type,
    sample.stratum as delivered_stratum,
    units.stratum,
    sample.source_file,
    sample.source_row
from {{ source('sources', 'raw_asco__sample') }} as sample
left join {{ ref('stg_asco__units') }} as units
    on sample.unit_type = units.unit_type and sample.unit_code = units.unit_code
order by units.unit_id
