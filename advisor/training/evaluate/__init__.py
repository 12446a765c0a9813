"""How wrong the predictions are on what the model has not seen."""
