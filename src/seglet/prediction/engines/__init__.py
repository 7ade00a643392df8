"""What computes a network's logits: PyTorch, OpenVINO or ONNX Runtime, behind one face."""
