# The same weights and estimates with R's survey; only the work is timed, not the reading.
# Rscript bench.R FOLDER: reads units.csv, margins.csv, indicators.csv; writes weights.csv, estimates.csv, seconds.txt.
suppressMessages(library(survey))
folder <- commandArgs(TRUE)[1]
units <- read.csv(file.path(folder, "units.csv"), colClasses = c(variance_stratum = "character"))
margins <- read.csv(file.path(folder, "margins.csv"))
indicators <- read.csv(file.path(folder, "indicators.csv"))
bounds <- list(lower = margins$low[1], upper = margins$high[1])
partitions <- grep("^partition_", names(units), value = TRUE)
for (name in indicators$indicator[indicators$kind == "share"]) {
  units[[paste0("covered_", name)]] <- units[[name]] * units$population
}

clock <- function() { now <- proc.time(); c(now[["elapsed"]], now[["user.self"]] + now[["sys.self"]]) }
started <- clock()
plain <- svydesign(
  ids = ~1, strata = ~variance_stratum, weights = ~nonresponse_weight, fpc = ~variance_population, data = units
)
known <- setNames(margins$total, margins$column)
design <- calibrate(
  plain, as.formula(paste("~ 0 +", paste(margins$column, collapse = " + "))), known,
  calfun = "logit", bounds = bounds, epsilon = 1e-12, maxit = 200
)
weighted <- clock()

holed <- indicators$indicator[sapply(indicators$indicator, function(name) anyNA(units[[name]]))]
shares <- indicators$indicator[indicators$kind == "share"]
amounts <- indicators$indicator[indicators$kind == "amount"]
long <- function(result, names_in, statistic, partition) {
  data.frame(
    partition = partition, statistic = statistic, indicator = rep(names_in, each = nrow(result)),
    domain = rep(as.character(result[[1]]), length(names_in)),
    estimate = as.vector(as.matrix(coef(result))), standard_error = as.vector(as.matrix(SE(result)))
  )
}
sums <- function(names_in) as.formula(paste("~", paste(names_in, collapse = " + ")))
rows <- list()
for (partition in partitions) {
  by <- function(names_in, fun, ...) svyby(sums(names_in), as.formula(paste("~", partition)), design, fun, ...)
  whole <- setdiff(shares, holed)
  if (length(whole)) {
    rows <- c(rows, list(
      long(by(whole, svymean), whole, "share", partition),
      long(
        by(paste0("covered_", whole), svyratio, denominator = ~population), whole, "population_share", partition
      )
    ))
  }
  if (length(amounts)) {
    rows <- c(rows, list(
      long(by(amounts, svymean), amounts, "mean", partition),
      long(by(amounts, svytotal), amounts, "total", partition)
    ))
  }
  # Each with its own missing answers: together, na.rm would drop a unit that lacks any of them. A domain of
  # which nobody answered is left out: its ratio is 0 / 0, which ends svyratio.
  for (name in holed) {
    answered <- as.logical(ave(!is.na(units[[name]]), units[[partition]], FUN = any))
    own <- if (all(answered)) design else subset(design, answered)
    known <- function(names_in, fun, ...) {
      svyby(sums(names_in), as.formula(paste("~", partition)), own, fun, ..., na.rm = TRUE)
    }
    rows <- c(rows, list(
      long(known(name, svymean), name, "share", partition),
      long(
        known(paste0("covered_", name), svyratio, denominator = ~population), name, "population_share", partition
      )
    ))
  }
}
ended <- clock()

number <- function(x) sprintf("%.15g", x)
write.csv(data.frame(weight = number(weights(design))), file.path(folder, "weights.csv"), row.names = FALSE)
results <- do.call(rbind, rows)
results$estimate <- number(results$estimate)
results$standard_error <- number(results$standard_error)
write.csv(results, file.path(folder, "estimates.csv"), row.names = FALSE)
writeLines(c(number(weighted - started), number(ended - weighted)), file.path(folder, "seconds.txt"))
