{# Label of a stratum: the type of unit and the values of the wave's stratification variables. #}
{% macro stratum(unit_type, variables) -%}
    '{{ unit_type }}'{% for variable in variables %} || ':' || {{ variable }}{% endfor %}
{%- endmacro %}
