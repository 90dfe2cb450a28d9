-- One row per released profile of a département.
select * from {{ ref('sec_profile__departements') }}
order by departement_code
