//! Offloads in user space: virtio headers, segmentation, coalescing, checksums.
