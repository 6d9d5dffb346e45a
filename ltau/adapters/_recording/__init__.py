"""What all adapters of PyTorch share: ids of samples, hooks on layers, passes, recorders."""
