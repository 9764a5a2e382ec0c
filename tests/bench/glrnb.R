# The likelihood ratio of negative binomial counts for decreases (surveillance::glrnb), as `peers.py` asks for it. Debian: apt-get
# install r-cran-surveillance. A question is three lines: threshold and dispersion; counts; expected counts. The answer is the
# hours of its alarms, from 0, in one line. After an alarm, the sum begins anew.
suppressMessages(library(surveillance))
input <- file("stdin", "r")
while (length(head <- readLines(input, 1)) > 0) {
  numbers <- function(line) as.numeric(strsplit(line, " ")[[1]])
  head <- numbers(head)
  counts <- numbers(readLines(input, 1))
  expected <- numbers(readLines(input, 1))
  alarms <- integer()
  if (length(counts) > 0) {
    series <- sts(observed = matrix(counts), frequency = 168)
    control <- list(range = seq_along(counts), mu0 = expected, alpha = head[2], c.ARL = head[1], M = 48, dir = "dec", change = "intercept", ret = "value")
    alarms <- which(glrnb(series, control)@alarm[, 1] == 1) - 1
  }
  cat(alarms, "\n")
  flush(stdout())
}
