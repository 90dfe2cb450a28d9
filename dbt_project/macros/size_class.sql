{# Class of a population: the last class of the wave that starts at or below it. #}
{% macro size_class(population, classes) -%}
    case
    {%- for size_class in classes | reverse %}
        when {{ population }} >= {{ size_class.from_population }} then '{{ size_class.code }}'
    {%- endfor %}
    end
{%- endmacro %}
