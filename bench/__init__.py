"""Speed, as ratios within one run. Never part of the tests: a busy machine makes slow, not wrong."""
