"""The lab: real Xen on QEMU with known workloads. See docs/internals/lab.md."""
