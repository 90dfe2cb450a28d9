# The returned workbooks as they are read today in R, with readxl and dplyr: Rscript read_returns.R FOLDER
# reads FOLDER/returns and FOLDER/words.csv, writes FOLDER/answers.csv and prints seconds, libraries left out.
suppressMessages({library(readxl); library(dplyr)})
folder <- commandArgs(TRUE)[1]
started <- proc.time()[["elapsed"]]
words <- read.csv(file.path(folder, "words.csv"), colClasses = "character")
one <- function(path) {
  about <- suppressMessages(read_excel(path, "_asco", col_names = FALSE, col_types = "text"))
  unit <- about[[2]][match("unit_code", about[[1]])]
  tabs <- setdiff(excel_sheets(path), "_asco")[-(1:3)]
  bind_rows(lapply(tabs, function(tab) {
    sheet <- suppressMessages(read_excel(path, tab, col_names = FALSE, col_types = "text", skip = 3))
    if (ncol(sheet) < 3) return(NULL)
    tibble(unit_code = unit, question = sheet[[1]], answer = sheet[[3]])
  }))
}
files <- sort(list.files(file.path(folder, "returns"), full.names = TRUE))
answers <- bind_rows(lapply(files, one)) |>
  filter(!is.na(question), !is.na(answer)) |>
  left_join(words, by = c("question", "answer" = "word")) |>
  transmute(unit_code, question, value = coalesce(value, answer))
write.csv(answers, file.path(folder, "answers.csv"), row.names = FALSE, quote = TRUE)
cat(proc.time()[["elapsed"]] - started, "\n")
