-- One row per unit that returned its questionnaire: the return that counts.
select
    units.unit_id,
    returned.unit_type,
    -- a wave that draws its sample compares in est_asco__draw
    case
        when (select count(*) from {{ ref('stg_asco__sample') }}) > 0
            then cast(sample.unit_id is not null as integer)
    end as in_sample,
    try_cast(returned.submitted_at as timestamp) as submitted_at,
    returned.moment_flag,
    returned.questionnaire_version,
    returned.answers as questions_answered,
    returned.completeness,
    returned.way,
    returned.file as source_file,
    returned.source_row
from {{ source('sources', 'raw_asco__returns') }} as returned
left join {{ ref('stg_asco__units') }} as units
    on returned.unit_type = units.unit_type and returned.unit_code = units.unit_code
left join {{ ref('stg_asco__sample') }} as sample on units.unit_id = sample.unit_id
where returned.status = 'accepted'
order by returned.file, returned.source_row
