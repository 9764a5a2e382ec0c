#!/usr/bin/env python3
"""Other methods on the series that `judge_drops.py` judges: Poisson-FOCuS, nearest days, glrnb, and MSTL.

usage: peers.py CASES_DIR [focus|nearest|glrnb|mstl]...

CASES_DIR holds cases as `judge_drops.py` reads them (docs/detection-measured.md, "Measured"). Steps shorter than five minutes are added up
to five. All methods may use only the past, and have the same budget: for each series, the smallest threshold with at most one
alarm in 90 days of the first half, after four weeks. An alarm that returns within a day counts once.

* focus: Poisson-FOCuS for decreases (Romano, Eckley, Fearnhead, Rigaill: JMLR 24, 2023) on the mean of the same hour of the last
  six weeks, times the level of the last week. The maximum over all beginnings is exact: they lie on a convex hull. The sum goes
  back a week at most, and begins anew after an alarm.
* nearest: the median of the six nearest of the last 28 days, by the counts of the 24 hours before, hour by hour, as Cloudflare
  Radar describes it. The score is the hour's deficit in standard deviations.
* glrnb: surveillance::glrnb(dir = "dec") of R on hours, with the expectation of focus and the dispersion of the hours of the first
  half that lie below it (apt-get install r-cran-surveillance). It looks back two days.
* mstl: statsforecast's MSTL of a day and a week over the last six weeks, forecast for a day at each midnight, its trend continued as
  it is (pip install statsforecast). The score is the hour's deficit over the conformal half-width: the 90 % quantile of the last
  28 days' forecast errors.
"""
import collections
import glob
import gzip
import json
import math
import os
import statistics
import subprocess
import sys

STEP = 300
DAY = 86400 // STEP
WARM = 28 * DAY


def load(path):
    case = json.load(gzip.open(path))
    times = max(1, STEP // case["step"])
    counts = case["counts"]
    if times > 1:
        counts = [sum(counts[at:at + times]) for at in range(0, len(counts) - times + 1, times)]
    scale = lambda steps: steps // times
    spans = [(scale(a), scale(b) + 1) for a, b in case["excl"]]
    spans += [(day * DAY, (day + 1) * DAY) for day in case["hol"]]
    drops = [dict(start=scale(d["start"]), end=scale(d["end"]), detectable=d["limit_min"] is not None) for d in case["drops"]]
    return case["cls"], counts, scale(case["mid"]), spans, drops


def profile(counts):
    """Expected count of each step: the hour of the week over six weeks, times last week's level."""
    hour = DAY // 24
    hours = [sum(counts[at:at + hour]) for at in range(0, len(counts) - hour + 1, hour)]
    rates = []
    for at in range(len(hours)):
        past = [hours[at - 168 * week] for week in range(1, 7) if at >= 168 * week]
        rates.append(sum(past) / len(past) if past else 0.0)
    expected = []
    for at, rate in enumerate(rates):
        since = max(168, at - 168)
        level = (sum(hours[since:at]) + 20) / (sum(rates[since:at]) + 20) if at > 168 else 1.0
        expected += [max(rate * level, 1e-4) / hour] * hour
    return expected + [expected[-1] if expected else 0.0] * (len(counts) - len(expected))


def focus(counts, first, last):
    """A scorer: the statistic of each step, with a reset."""
    expected = profile(counts)

    def alarms(threshold):
        found, hull, mails, due = [], [(0.0, 0.0, first)], 0.0, 0.0
        for at in range(first, last):
            mails += counts[at]
            due += expected[at]
            best = 0.0
            for x, y, _ in hull:
                s, l = mails - y, due - x
                if s < l:
                    best = max(best, (s * math.log(s / l) if s else 0.0) - s + l)
            if best > threshold:
                found.append(at)
                hull, mails, due = [(0.0, 0.0, at)], 0.0, 0.0
                continue
            # Beginnings that can still be the best one lie on the upper hull.
            while len(hull) > 1 and (mails - hull[-2][1]) * (hull[-1][0] - hull[-2][0]) >= (hull[-1][1] - hull[-2][1]) * (due - hull[-2][0]):
                hull.pop()
            hull.append((due, mails, at))
            if at - hull[0][2] > 7 * DAY and len(hull) > 1:
                hull.pop(0)
        return found
    return alarms


def nearest(counts, first, last):
    hour = DAY // 24
    hours = [sum(counts[at:at + hour]) for at in range(0, len(counts) - hour + 1, hour)]
    scores = {}
    for at in range(max(first // hour, 29 * 24), min(last // hour, len(hours))):
        def distance(day):
            return sum(abs(hours[at - back] - hours[at - 24 * day - back]) for back in range(1, 25))
        days = sorted(range(1, 28), key=distance)[:6]
        due = statistics.median(hours[at - 24 * day] for day in days)
        scores[at] = (due - hours[at]) / math.sqrt(due + 1)

    def alarms(threshold):
        return [(at + 1) * hour - 1 for at, score in scores.items() if score > threshold]
    return alarms


def hourly(counts):
    hour = DAY // 24
    return [sum(counts[at:at + hour]) for at in range(0, len(counts) - hour + 1, hour)]


R = []


def glrnb(counts, first, last):
    if not R:
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "glrnb.R")
        R.append(subprocess.Popen(["Rscript", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    hour, expected = DAY // 24, profile(counts)
    hours, due = hourly(counts), [max(each, 1e-3) for each in hourly(expected)]
    first, last = first // hour, min(last // hour, len(hours))
    # What lies below the expectation in the weeks before: bursts are no noise of drops.
    past = range(min(WARM // hour, first), first) if first > WARM // hour else range(168, first)
    low = sum(2 * min(hours[at] - due[at], 0) ** 2 - due[at] for at in past)
    dispersion = max(1e-3, low / max(sum(due[at] ** 2 for at in past), 1e-9))

    def alarms(threshold):
        R[0].stdin.write(f"{threshold} {dispersion}\n")
        R[0].stdin.write(" ".join(map(str, hours[first:last])) + "\n" + " ".join(map(str, due[first:last])) + "\n")
        R[0].stdin.flush()
        return [(first + int(at) + 1) * hour - 1 for at in R[0].stdout.readline().split()]
    return alarms


def mstl(counts, first, last):
    import numpy
    from statsforecast.models import MSTL, Naive
    hour, hours = DAY // 24, numpy.array(hourly(counts), dtype=float)
    model, scores, errors = MSTL([24, 168], trend_forecaster=Naive()), {}, []
    # Four weeks before it are enough for the errors of the first day that is judged.
    begin = max(15 * 24, first // hour - 28 * 24)
    for at in range(begin - begin % 24, min(last // hour, len(hours)), 24):
        due = numpy.maximum(model.forecast(y=hours[max(0, at - 1008):at], h=24)["mean"], 0)
        real = hours[at:at + 24]
        if len(errors) >= 7:
            width = max(numpy.quantile(numpy.abs(numpy.concatenate(errors[-28:])), 0.9), 0.5)
            scores.update((at + k, (due[k] - real[k]) / width) for k in range(len(real)) if at + k >= first // hour)
        errors.append(real - due[:len(real)])

    def alarms(threshold):
        return [(at + 1) * hour - 1 for at, score in scores.items() if score > threshold]
    return alarms


def once(alarms):
    kept, last = [], -DAY
    for at in alarms:
        if at - last >= DAY:
            kept.append(at)
        last = at
    return kept


def calibrated(method, counts, mid, spans):
    """The smallest threshold that keeps the budget in the first half, by bisection on a logarithm."""
    first = min(WARM, mid // 2)
    alarms, allowed = method(counts, first, mid), math.floor(max(1, (mid - first) / DAY / 90))
    low, high = 0.5, 5000.0
    for _ in range(9):
        middle = math.sqrt(low * high)
        count = sum(not any(a <= at < b for a, b in spans) for at in once(alarms(middle)))
        low, high = (middle, high) if count > allowed else (low, middle)
    return high


def main():
    folder, names = sys.argv[1], sys.argv[2:] or ["focus", "nearest"]
    classes = dict(A="< 12/day", B="12-100/day", C="100-1440/day", D="1-60/min", E="60-1000/min", F="> 1000/min", W="web stress")
    for name in names:
        method = dict(focus=focus, nearest=nearest, glrnb=glrnb, mstl=mstl)[name]
        sums = collections.defaultdict(lambda: [0, 0, 0, 0.0, 0, 0.0])
        thresholds = {}
        for path in sorted(glob.glob(os.path.join(folder, "*.json.gz"))):
            cls, counts, mid, spans, drops = load(path)
            base = os.path.basename(path).split("__")[0]
            if base not in thresholds:
                thresholds[base] = calibrated(method, counts, mid, spans)
            alarms = once(method(counts, mid, len(counts))(thresholds[base]))
            of = sums[cls]
            for drop in drops:
                hit = any(drop["start"] <= at < drop["end"] for at in alarms)
                of[0] += drop["detectable"]
                of[1] += drop["detectable"] and hit
            free = lambda at: not any(a <= at < b for a, b in spans) and not any(d["start"] <= at < d["end"] + DAY for d in drops)
            false, days = sum(map(free, alarms)), (len(counts) - mid) / DAY
            of[2] += false
            of[3] += days
            if "__clean" in path:
                of[4] += false
                of[5] += days
        print(name)
        for cls, (drops, hits, false, days, clean, clean_days) in sorted(sums.items()):
            print(f"  {classes[cls]:13} {hits:3} of {drops:3} ({100 * hits / max(1, drops):3.0f} %)"
                  f"  false {90 * false / max(days, 1e-9):5.2f}  clean {90 * clean / max(clean_days, 1e-9):5.2f}", flush=True)


if __name__ == "__main__":
    main()
