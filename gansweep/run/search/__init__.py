"""The search: Optuna asks, trials become packs, results are reported back."""
