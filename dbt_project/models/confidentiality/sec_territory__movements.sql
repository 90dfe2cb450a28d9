-- One row per area: what became of its former communes; counts of public codes, of which nothing is hidden.
select * from {{ ref('est_territory__movements') }}
order by geography, area_code
