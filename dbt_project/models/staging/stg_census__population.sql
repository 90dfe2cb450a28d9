-- One row per département, sex and five-year age band (and their totals), at 1 January of the wave's year.
select
    departement_code,
    sex,
    case
        when age_band = 'Total' then 'total'
        when age_band like '95 ans%' then '95_plus'
        else
            lpad(regexp_extract(age_band, '^(\d+) à (\d+) ans$', 1), 2, '0')
            || '_' || lpad(regexp_extract(age_band, '^(\d+) à (\d+) ans$', 2), 2, '0')
    end as age_band,
    cast(population as bigint) as population
from {{ source('sources', 'raw_insee__population_age_sex') }}
where row_kind = 'departement'
order by departement_code, sex, age_band
