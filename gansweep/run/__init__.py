"""One run of a study, from its search to its report. Only here are Optuna and Ray imported."""
