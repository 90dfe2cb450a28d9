{# A value of the wave, which the pipeline gives. While the project is parsed there is no wave, and nothing is
   built then; to build without one is refused. #}
{% macro wave_value(name) -%}
    {%- if not execute -%}
        {{ return([]) }}
    {%- elif var(name, none) is none -%}
        {{ exceptions.raise_compiler_error(
            "the wave's value " ~ name ~ " is not given. Run dbt with asco dbt WAVE -- ARGUMENTS.") }}
    {%- endif -%}
    {{ return(var(name)) }}
{%- endmacro %}
