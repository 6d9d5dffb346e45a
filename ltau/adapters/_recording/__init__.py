"""What all adapters of PyTorch share: ids of samples, hooks, passes, and the recorder."""
