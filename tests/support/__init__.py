"""What several tests share that is neither a fixture nor a fake."""
