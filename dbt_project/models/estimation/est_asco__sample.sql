-- One row per sampled unit: its stratum, its probability of inclusion, whether it answered.
with

frame as (
    select
        unit_id,
        departement_code,
        region_code,
        size_class,
        population,
        epci_nature
    from {{ ref('stg_asco__units') }}
),

sampled as (
    select
        unit_id,
        unit_type,
        stratum,
        stratum_population,
        stratum_sample,
        inclusion_probability
    from {{ source('estimation', 'est_asco__draw') }}
),

respondents as (
    select unit_id
    from {{ ref('stg_asco__answers') }}
    where edit_status = 'answered'
    group by unit_id
)

select
    sampled.unit_id,
    sampled.unit_type,
    sampled.stratum,
    sampled.stratum_population,
    sampled.stratum_sample,
    sampled.inclusion_probability,
    case when respondents.unit_id is null then 'nonrespondent' else 'respondent' end as response_status,
    frame.departement_code,
    frame.region_code,
    frame.size_class,
    frame.population,
    frame.epci_nature
from sampled
inner join frame on sampled.unit_id = frame.unit_id
left join respondents on sampled.unit_id = respondents.unit_id
order by sampled.unit_type, sampled.unit_id
