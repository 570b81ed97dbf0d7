"""The paper's tables and figures, on any data set, checkpoint and LLM."""
