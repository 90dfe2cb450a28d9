"""Weights and estimates of a made-up wave, each unit so many times: ``estimation_work.py TIMES``, as JSON."""

import json
import sys
import time

from asco_testing.benchmarks.estimation import bench


def work(times: int) -> dict[str, float]:
    """Seconds of the work itself, making the wave left out."""
    wave = bench.load_wave("2014")
    made = bench.made_up_wave(wave, bench.invented_territory(wave, 2014), seed=2014)
    told = {"wall": 0.0, "processor": 0.0, "respondents": 0}
    for unit_type in bench.UNIT_TYPES:
        inputs = bench.Inputs(bench.larger(bench.of_type(made, unit_type), times), unit_type)
        began, busy = time.perf_counter(), time.process_time()
        inputs.estimates(inputs.weighting())
        told["wall"] += time.perf_counter() - began
        told["processor"] += time.process_time() - busy
        told["respondents"] += len(inputs.answered.values)
        del inputs  # as the step does: one type's units and answers at a time
    return told


if __name__ == "__main__":
    print(json.dumps(work(int(sys.argv[1]))))
