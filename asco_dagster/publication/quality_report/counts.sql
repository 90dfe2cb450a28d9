-- Every indicator of the quality report that is a count over the wave's tables: one row per indicator, type
-- of unit, breakdown and category. Response by département is there only where enough were asked to hide how
-- many answered; what is counted of cells is counted over their status, never their numbers.
with

sampled as (
    select
        unit_type,
        size_class,
        departement_code,
        1 / inclusion_probability as design_weight,
        cast(response_status = 'respondent' as double) as responded
    from estimation.est_asco__sample
),

asked as (
    select
        answers.unit_type,
        answers.question,
        weights.weight,
        cast(answers.edit_status = 'item_nonresponse' as double) as is_open,
        cast(answers.edit_status = 'set_missing' as double) as is_cleared
    from staging.stg_asco__answers as answers
    inner join estimation.est_asco__weights as weights on answers.unit_id = weights.unit_id
    where answers.edit_status <> 'not_asked'
),

computed as (
    select
        indicators.unit_type,
        indicators.indicator,
        weights.weight,
        cast(indicators.is_imputed as double) as is_imputed
    from estimation.est_asco__indicators as indicators
    inner join estimation.est_asco__weights as weights on indicators.unit_id = weights.unit_id
),

cells as (
    select
        unit_type,
        indicator,
        statistic,
        geography,
        area_code,
        size_class,
        -- the rule that closed a cell stays inside: so do counts of it
        case when status = 'V' then 'V' else 'c' end as status,
        quality_flag,
        cv
    from confidentiality.sec_asco__cells
),

found as (
    select
        'coverage' as concept,
        'frame_units' as indicator,
        unit_type,
        'total' as breakdown,
        '' as category,
        cast(count(*) as double) as value
    from staging.stg_asco__units
    group by unit_type
    union all
    select 'coverage', 'sampled_units', unit_type, 'total', '', count(*)
    from sampled
    group by unit_type
    union all
    select 'coverage', 'communes_outside_epci', 'commune', 'total', '', sum(outside_epci)
    from staging.stg_territory__communes
    union all
    select 'coverage', 'communes_absent_from_populations', 'commune', 'total', '', sum(absent_from_populations)
    from staging.stg_territory__communes
    union all
    select 'coverage', 'frame_inhabitants', 'commune', 'total', '', sum(population)
    from staging.stg_territory__communes
    union all
    select 'coverage', 'territory_cases', 'commune', 'case', kind, count(*)
    from staging.stg_territory__cases
    group by kind
    union all
    select 'coverage', 'departements_covered', 'commune', 'total', '', count(distinct departement_code)
    from staging.stg_territory__communes
    union all
    select 'coverage', 'returns_of_unknown_units', unit_type, 'total', '', count(*) filter (where unit_id is null)
    from staging.stg_asco__returns
    group by unit_type
    union all
    select 'coverage', 'returns_refused', 'all', 'total', '', sum(is_refused)
    from sources.raw_asco__returns
    union all
    select 'coverage', 'departement_population_gap_largest', 'commune', 'total', '', max(abs(gap))
    from estimation.est_quality__population
    union all
    select 'coverage', 'large_silent_units_imputed', unit_type, 'total', '', sum(is_imputed)
    from estimation.est_asco__silent_units
    group by unit_type
    union all
    select 'unit_response', measure, unit_type, if(category = '', 'total', 'variable'), category, value
    from estimation.est_quality__nonresponse
    where measure in ('r_indicator', 'largest_bias', 'partial_r')
    union all
    select
        'unit_response', 'indicators_where_late_differ', unit_type, 'total', '',
        count(*) filter (where q_value < 0.05)
    from estimation.est_quality__nonresponse
    where measure = 'late_less_early'
    group by unit_type
    union all
    -- the widest bound only, to three decimals: that of an indicator gives more digits of its share away
    select
        'unit_response', 'sensitivity_largest', unit_type, 'total', '',
        round(max(high - low) / 2, 3)
    from (
        select
            unit_type,
            category,
            max(value) filter (where measure = 'sensitivity_high') as high,
            max(value) filter (where measure = 'sensitivity_low') as low
        from estimation.est_quality__nonresponse
        where measure in ('sensitivity_low', 'sensitivity_high')
        group by unit_type, category
    )
    group by unit_type
    union all
    select 'unit_response', 'rate', unit_type, 'total', '', avg(responded)
    from sampled
    group by unit_type
    union all
    select
        'unit_response', 'rate_weighted', unit_type, 'total', '',
        sum(responded * design_weight) / sum(design_weight)
    from sampled
    group by unit_type
    union all
    select 'unit_response', 'rate', unit_type, 'size_class', size_class, avg(responded)
    from sampled
    group by unit_type, size_class
    union all
    select
        'unit_response', 'rate_weighted', unit_type, 'size_class', size_class,
        sum(responded * design_weight) / sum(design_weight)
    from sampled
    group by unit_type, size_class
    union all
    select 'unit_response', 'rate', 'commune', 'departement', departement_code, round(avg(responded), 2)
    from sampled
    where unit_type = 'commune'
    group by departement_code
    having count(*) >= 20 and sum(responded) >= 10
    union all
    select 'unit_response', 'rate_to_date', unit_type, 'day', category, response_rate
    from estimation.est_asco__collection
    where breakdown = 'day' and category <> 'undated'
    union all
    select 'item_nonresponse', 'rate', unit_type, 'total', '', avg(is_open)
    from asked
    group by unit_type
    union all
    select 'item_nonresponse', 'rate_weighted', unit_type, 'total', '', sum(is_open * weight) / sum(weight)
    from asked
    group by unit_type
    union all
    select 'item_nonresponse', 'rate', unit_type, 'question', question, avg(is_open)
    from asked
    group by unit_type, question
    union all
    select
        'item_nonresponse', 'rate_weighted', unit_type, 'question', question,
        sum(is_open * weight) / sum(weight)
    from asked
    group by unit_type, question
    union all
    select 'imputation', 'rate', unit_type, 'total', '', avg(is_imputed)
    from computed
    group by unit_type
    union all
    select 'imputation', 'rate_weighted', unit_type, 'total', '', sum(is_imputed * weight) / sum(weight)
    from computed
    group by unit_type
    union all
    select 'imputation', 'rate', unit_type, 'indicator', indicator, avg(is_imputed)
    from computed
    group by unit_type, indicator
    union all
    select
        'imputation', 'rate_weighted', unit_type, 'indicator', indicator,
        sum(is_imputed * weight) / sum(weight)
    from computed
    group by unit_type, indicator
    union all
    select 'measurement', 'answers_cleared', unit_type, 'total', '', avg(is_cleared)
    from asked
    group by unit_type
    union all
    select 'measurement', 'units_breaking_' || severity, unit_type, 'edit', edit, count(*)
    from staging.stg_asco__edit_log
    group by unit_type, severity, edit
    union all
    select 'sampling_error', 'cv_median', unit_type, 'geography', geography, median(cv)
    from cells
    where status = 'V' and cv is not null
    group by unit_type, geography
    union all
    select 'sampling_error', 'cv_ninth_decile', unit_type, 'geography', geography, quantile_cont(cv, 0.9)
    from cells
    where status = 'V' and cv is not null
    group by unit_type, geography
    union all
    select 'sampling_error', 'cells_' || quality_flag, unit_type, 'geography', geography, count(*)
    from cells
    where status = 'V'
    group by unit_type, geography, quality_flag
    union all
    select
        'sampling_error', 'share_reliable', 'commune', 'departement', area_code,
        round(avg(cast(quality_flag <> 'unreliable' as double)), 2)
    from cells
    where status = 'V' and geography = 'departement' and unit_type = 'commune'
    group by area_code
    having count(*) >= 10
    union all
    select 'weighting', 'ratio_smallest', unit_type, 'total', '', min(weight / nonresponse_weight)
    from estimation.est_asco__weights
    group by unit_type
    union all
    select 'weighting', 'ratio_largest', unit_type, 'total', '', max(weight / nonresponse_weight)
    from estimation.est_asco__weights
    group by unit_type
    union all
    select 'weighting', 'margins', unit_type, 'total', '', count(*)
    from estimation.est_asco__margins
    group by unit_type
    union all
    select 'coherence', 'compared', 'all', 'tie', tie, count(*)
    from staging.stg_quality__ties
    group by tie
    union all
    select 'coherence', 'differing', 'all', 'tie', tie, count(*) filter (where abs(difference) > 0.5)
    from staging.stg_quality__ties
    group by tie
    union all
    select 'coherence', 'largest_relative_difference', 'all', 'tie', tie, max(abs(relative_difference))
    from staging.stg_quality__ties
    group by tie
    union all
    select 'disclosure', 'cells_' || status, unit_type, 'geography', geography, count(*)
    from cells
    group by unit_type, geography, status
    union all
    select
        'disclosure', 'share_open', 'commune', 'departement', area_code,
        round(avg(cast(status = 'V' as double)), 2)
    from cells
    where geography = 'departement' and unit_type = 'commune'
    group by area_code
    union all
    select 'disclosure', 'attacked', 'all', 'total', '', count(*)
    from confidentiality.sec_asco__audit
    union all
    select 'disclosure', 'recovered', 'all', 'total', '', count(*) filter (where answers > 0 or too_close > 0)
    from confidentiality.sec_asco__audit
    union all
    select 'burden', 'questions', unit_type, 'total', '', count(*)
    from staging.stg_asco__questions
    group by unit_type
    union all
    select 'burden', 'answers_median', unit_type, 'total', '', median(questions_answered)
    from staging.stg_asco__returns
    group by unit_type
    union all
    select 'burden', 'completeness', unit_type, 'total', '', avg(completeness)
    from staging.stg_asco__returns
    group by unit_type
)

select
    concept,
    indicator,
    unit_type,
    breakdown,
    category,
    -- sums of floats may differ in their last digit from one machine to the next
    round(cast(value as double), 6) as value
from found
order by concept, indicator, unit_type, breakdown, category
