{# Département of a five-character commune code: three characters overseas, else two (2A and 2B too). #}
{% macro departement_of(commune_code) -%}
    case
        when left({{ commune_code }}, 2) in ('97', '98') then left({{ commune_code }}, 3) else left({{ commune_code }}, 2)
    end
{%- endmacro %}
