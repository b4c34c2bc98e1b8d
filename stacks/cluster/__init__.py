"""Kubernetes by kubeadm, from binaries and images of our own making."""
