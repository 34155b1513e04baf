//! Why a device could not be attached or made.

use std::io;

/// Why a port could not be had. The message says what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The device does not exist.
    #[error(
        "no device {name:?} in this network namespace; see `ip link` (a container's veth has the \
         name of its host end)"
    )]
    NoDevice {
        /// Name of the device.
        name: String,
    },
    /// Not permitted.
    #[error("{step} for device {name:?}: not permitted; run as root or with {capability}")]
    NotPermitted {
        /// Name of the device.
        name: String,
        /// What was tried.
        step: &'static str,
        /// What is missing.
        capability: &'static str,
    },
    /// A device of that name exists already and is not ours.
    #[error(
        "a device {name:?} exists already and does not belong to this switch; remove it with \
         `ip link del {name}` or rename the bridge"
    )]
    Exists {
        /// Name of the device.
        name: String,
    },
    /// The kernel lacks something that cannot be done without.
    #[error("{step} for device {name:?}: {source}; {advice}")]
    Unsupported {
        /// Name of the device.
        name: String,
        /// What was tried.
        step: &'static str,
        /// The kernel's answer.
        source: io::Error,
        /// What to do.
        advice: &'static str,
    },
}

impl AttachError {
    /// The error of `step` for device `name`.
    pub(super) fn new(
        name: &str,
        step: &'static str,
        capability: &'static str,
        advice: &'static str,
        source: io::Error,
    ) -> Self {
        let name = name.to_owned();
        match source.raw_os_error() {
            Some(libc::ENODEV) => Self::NoDevice { name },
            Some(libc::EPERM | libc::EACCES) => Self::NotPermitted { name, step, capability },
            _ => Self::Unsupported { name, step, source, advice },
        }
    }
}
