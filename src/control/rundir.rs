//! The run directory: one living daemon each.
//!
//! `RUNDIR/vxswitch.lock` is locked (flock(2)) for as long as the daemon lives and holds its
//! process id. The kernel lets go of the lock however the process dies, so whoever gets it may
//! clear away what a dead daemon left, its socket for one.

use anyhow::{Context, bail};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A run directory that belongs to this process.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Holds the lock.
    _lock: File,
}

impl RunDir {
    /// Makes the directory if need be, and takes it.
    ///
    /// # Errors
    /// When it cannot be made, or belongs to a living daemon.
    pub fn take(path: &Path) -> anyhow::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o755).create(path).with_context(|| {
            let path = path.display();
            format!("cannot make the run directory {path} (run as root, or --rundir DIR)")
        })?;
        let lock_path = path.join("vxswitch.lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .with_context(|| format!("cannot open {}", lock_path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                lock.read_to_string(&mut pid).unwrap_or_default();
                bail!(
                    "another vxswitch (process {}) runs with the run directory {}; stop it, or \
                     give this one its own with --rundir DIR",
                    pid.trim(),
                    path.display()
                );
            }
            Err(TryLockError::Error(e)) => {
                return Err(e).with_context(|| format!("cannot lock {}", lock_path.display()));
            }
        }
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "{}", std::process::id())?;
        match std::fs::remove_file(socket_path(path)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e).context("cannot remove the control socket of a dead vxswitch");
            }
            _ => {}
        }
        Ok(Self { path: path.into(), _lock: lock })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Where the control socket is.
#[must_use]
pub fn socket_path(rundir: &Path) -> PathBuf {
    rundir.join("vxswitch.sock")
}
