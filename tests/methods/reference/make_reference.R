# Reference results: weights, estimates and standard errors of R's survey on tests/methods/reference/design.csv.gz.
# Run from anywhere: Rscript tests/methods/reference/make_reference.R
# Writes reference_weights.csv.gz, reference_estimates.csv.gz and reference_versions.txt beside itself.

suppressMessages(library(survey))
library(parallel)

here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])))
started <- proc.time()[["elapsed"]]
design_data <- read.csv(file.path(here, "design.csv.gz"), colClasses = c(
  region_code = "character", departement_code = "character", size_class = "character"
))
totals <- read.csv(file.path(here, "totals.csv"), colClasses = c(
  region_code = "character", size_class = "character"
))

# One dummy a margin. Thousands of inhabitants, for R solves the normal equations without scaling them.
margin_columns <- character(0)
margin_totals <- numeric(0)
for (i in seq_len(nrow(totals))) {
  row <- totals[i, ]
  here_units <- design_data$region_code == row$region_code
  column <- sprintf("x%02d", i)
  if (row$margin == "units") {
    design_data[[column]] <- as.numeric(here_units & design_data$size_class == row$size_class)
    margin_totals[column] <- row$total
  } else {
    design_data[[column]] <- ifelse(here_units, design_data$population / 1000, 0)
    margin_totals[column] <- row$total / 1000
  }
  margin_columns <- c(margin_columns, column)
}
margins <- as.formula(paste("~ 0 +", paste(margin_columns, collapse = " + ")))

partitions <- list(
  "france|total" = rep("FR|total", nrow(design_data)),
  "france|size" = paste0("FR|", design_data$size_class),
  "region|total" = paste0(design_data$region_code, "|total"),
  "region|size" = paste0(design_data$region_code, "|", design_data$size_class),
  "departement|total" = paste0(design_data$departement_code, "|total"),
  "departement|size" = paste0(design_data$departement_code, "|", design_data$size_class)
)

plain <- svydesign(
  ids = ~1, strata = ~stratum, weights = ~initial_weight, fpc = ~stratum_population, data = design_data
)
bounded <- list(lower = 0.5, upper = 2.5)
calibrated <- list(
  linear = calibrate(plain, margins, margin_totals, calfun = "linear"),
  raking = calibrate(plain, margins, margin_totals, calfun = "raking", epsilon = 1e-12, maxit = 200),
  logit = calibrate(
    plain, margins, margin_totals,
    calfun = "logit", bounds = bounded, epsilon = 1e-12, maxit = 200
  )
)
weights_table <- data.frame(unit_id = design_data$unit_id, lapply(calibrated, weights))
weights_table$truncated_linear <- weights(calibrate(
  plain, margins, margin_totals, calfun = "linear", bounds = bounded, epsilon = 1e-12, maxit = 200
))

indicators <- grep("^(share|amount)_", names(design_data), value = TRUE)
shares <- grep("^share_", indicators, value = TRUE)
amounts <- grep("^amount_", indicators, value = TRUE)
holed <- indicators[sapply(indicators, function(name) anyNA(design_data[[name]]))]
# svyratio works through its numerators one by one: every fourth share keeps the script short.
ratio_shares <- shares[seq(4, length(shares), by = 4)]

long <- function(result, names_in, method, statistic, geography) {
  estimates <- as.matrix(coef(result))
  errors <- as.matrix(SE(result))
  data.frame(
    method = method, statistic = statistic, geography = geography,
    domain = rep(as.character(result$domain), length(names_in)),
    indicator = rep(names_in, each = nrow(result)),
    estimate = as.vector(estimates), standard_error = as.vector(errors)
  )
}

one_partition <- function(task) {
  design <- update(calibrated[[task$method]], domain = partitions[[task$partition]])
  geography <- sub("\\|.*", "", task$partition)
  sums <- function(names_in) as.formula(paste("~", paste(names_in, collapse = " + ")))
  by <- function(names_in, fun, ...) svyby(sums(names_in), ~domain, design, fun, ...)
  rows <- list(
    long(by(setdiff(indicators, holed), svymean), setdiff(indicators, holed), task$method, "mean", geography),
    long(by(amounts, svytotal), amounts, task$method, "total", geography)
  )
  # Each with its own missing answers: together, na.rm would drop a unit that lacks any of them.
  for (name in holed) {
    rows <- c(rows, list(long(by(name, svymean, na.rm = TRUE), name, task$method, "mean", geography)))
  }
  for (name in ratio_shares) {
    ratio <- by(name, svyratio, denominator = ~population, na.rm = TRUE)
    rows <- c(rows, list(long(ratio, name, task$method, "population_share", geography)))
  }
  do.call(rbind, rows)
}

# A numerator of svyratio is inhabitants of the units that say yes.
for (name in ratio_shares) {
  covered <- paste0("covered_", name)
  for (method in names(calibrated)) {
    calibrated[[method]]$variables[[covered]] <- design_data[[name]] * design_data$population
  }
}
ratio_shares <- paste0("covered_", ratio_shares)

tasks <- list()
for (method in names(calibrated)) {
  for (partition in rev(names(partitions))) {
    tasks <- c(tasks, list(list(method = method, partition = partition)))
  }
}
results <- do.call(rbind, mclapply(tasks, one_partition, mc.cores = 2, mc.preschedule = FALSE))
results$indicator <- sub("^covered_", "", results$indicator)

write_gz <- function(table, name) {
  for (column in names(table)[sapply(table, is.double)]) {
    table[[column]] <- sprintf("%.15g", table[[column]])
  }
  file <- gzfile(file.path(here, name), "w", compression = 9)
  write.csv(table, file, row.names = FALSE, quote = FALSE)
  close(file)
}
write_gz(weights_table, "reference_weights.csv.gz")
write_gz(results, "reference_estimates.csv.gz")
writeLines(c(
  R.version.string, paste("survey", packageVersion("survey")),
  paste("respondents", nrow(design_data)), paste("rows", nrow(results))
), file.path(here, "reference_versions.txt"))
message(sprintf("%d rows in %.0f s", nrow(results), proc.time()[["elapsed"]] - started))
