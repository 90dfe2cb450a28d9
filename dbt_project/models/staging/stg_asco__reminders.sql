-- One row per sampled unit that has not returned its questionnaire yet: whom to remind.
select
    units.unit_id,
    units.unit_type,
    units.stratum,
    units.departement_code,
    units.size_class
from {{ ref('stg_asco__sample') }} as sample
inner join {{ ref('stg_asco__units') }} as units on sample.unit_id = units.unit_id
left join {{ ref('stg_asco__returns') }} as returned on sample.unit_id = returned.unit_id
where returned.unit_id is null
order by units.unit_type, units.departement_code, units.unit_id
