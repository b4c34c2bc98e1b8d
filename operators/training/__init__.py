"""`TrainingJob`s: what ought to run, and making it so."""
