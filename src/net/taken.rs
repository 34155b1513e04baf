//! What the switch took or made, on disk, so that a start after a crash can give it back.
//!
//! `RUNDIR/taken.json` is written before anything is taken and after anything is given back, each
//! time as a whole (a new file, then a rename). A reader thus finds at worst something that was
//! never taken, and never misses something that was. TAPs are not in it: they end with the process.

use super::container::Target;
use super::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Something to be given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Taken {
    /// A device that the host's own stack was kept off: the guard has to come off.
    Interface {
        /// Its number; a device of the same name and another number is not it.
        ifindex: u32,
        /// Its name.
        name: String,
    },
    /// A veth pair that was made: to be removed (see [`super::attach::detach`]).
    Veth {
        /// The near end's name.
        host_ifname: String,
        /// Where the far end is.
        target: Target,
        /// The far end's name.
        ifname: String,
    },
}

/// A process, unmistakable even when its number is used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    /// Of the boot; after a reboot nothing is left of what was taken before.
    boot_id: String,
    pid: u32,
    /// Clock ticks after the boot (proc_pid_stat(5), field 22).
    start_time: u64,
}

impl Owner {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets (field 2) may hold anything; field 3 follows the last bracket.
        let after = stat.rsplit_once(')')?.1;
        Some(Self {
            boot_id: boot_id(),
            pid,
            start_time: after.split_whitespace().nth(19)?.parse().ok()?,
        })
    }

    fn lives(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }
}

fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_string()
}

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    owner: Owner,
    taken: Vec<Taken>,
}

/// The file, owned by this process.
#[derive(Debug)]
pub struct TakenFile {
    path: PathBuf,
    content: Content,
}

impl TakenFile {
    /// Opens the file in `rundir` for this process. Also gives what a dead process left: it stays
    /// in the file until [`Self::gave_back`] says that it is done with.
    pub fn open(rundir: &Path) -> Result<(Self, Vec<Taken>)> {
        let path = rundir.join("taken.json");
        let doing = || format!("open the state file {}", path.display());
        let old = match fs::read(&path) {
            Ok(bytes) => Some(serde_json::from_slice::<Content>(&bytes).map_err(|e| {
                Error::new(
                    doing(),
                    e.to_string(),
                    "nobody but vxswitch may write it; if no vxswitch runs, remove it, and after \
                     that \
                     what `ip link` shows with the alias \"vxswitch: ...\"",
                )
            })?),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::io(doing(), &e)),
        };
        let me = std::process::id();
        let owner =
            Owner::of(me).ok_or_else(|| Error::new(doing(), "/proc is not there", "mount it"))?;
        let taken = match old {
            Some(old) if old.owner != owner && old.owner.lives() => {
                return Err(Error::new(
                    doing(),
                    format!(
                        "vxswitch runs already with this directory, as process {}",
                        old.owner.pid
                    ),
                    "stop it first, or give this one another directory (--rundir)",
                ));
            }
            Some(old) if old.owner.boot_id == owner.boot_id => old.taken,
            _ => Vec::new(),
        };
        let file = Self { path, content: Content { owner, taken: taken.clone() } };
        file.write()?;
        Ok((file, taken))
    }

    /// To be called before something is taken or made.
    pub fn will_take(&mut self, what: Taken) -> Result<()> {
        if self.content.taken.contains(&what) {
            return Ok(());
        }
        self.content.taken.push(what);
        self.write()
    }

    /// To be called after it was given back or removed.
    pub fn gave_back(&mut self, what: &Taken) -> Result<()> {
        let before = self.content.taken.len();
        self.content.taken.retain(|t| t != what);
        if self.content.taken.len() == before {
            return Ok(());
        }
        self.write()
    }

    /// What is in the file now.
    #[must_use]
    pub fn taken(&self) -> &[Taken] {
        &self.content.taken
    }

    /// The end of an orderly exit: removes the file if nothing is left in it.
    pub fn close(self) -> Result<()> {
        if !self.content.taken.is_empty() {
            return Ok(());
        }
        fs::remove_file(&self.path)
            .map_err(|e| Error::io(format!("remove {}", self.path.display()), &e))
    }

    fn write(&self) -> Result<()> {
        let new = self.path.with_extension("json.new");
        let write = || -> std::io::Result<()> {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            serde_json::to_writer_pretty(&mut file, &self.content)?;
            file.write_all(b"\n")?;
            // Not synced: the state that it describes does not outlive the kernel either.
            fs::rename(&new, &self.path)
        };
        write().map_err(|e| {
            Error::io(format!("write the state file {}", self.path.display()), &e)
                .with_fix("the directory must exist and be writable (--rundir)")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn veth(n: u32) -> Taken {
        Taken::Veth {
            host_ifname: format!("vx{n}"),
            target: Target::Container("web".into()),
            ifname: "eth1".into(),
        }
    }

    #[test]
    fn leftovers_of_a_dead_process_are_found_once() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (mut file, left) = TakenFile::open(dir.path()).expect("fresh");
        assert!(left.is_empty());
        file.will_take(veth(1)).expect("written");
        file.will_take(veth(2)).expect("written");
        file.gave_back(&veth(1)).expect("written");
        // As if this process had been another one that is dead now.
        file.content.owner.start_time += 1;
        file.write().expect("written");
        let (mut file, left) = TakenFile::open(dir.path()).expect("leftovers");
        assert_eq!(left, [veth(2)]);
        assert_eq!(file.taken(), [veth(2)]);
        file.gave_back(&veth(2)).expect("written");
        file.close().expect("removed");
        assert!(!dir.path().join("taken.json").exists());
    }

    #[test]
    fn a_living_process_keeps_its_directory() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (mut file, _) = TakenFile::open(dir.path()).expect("fresh");
        file.content.owner = Owner::of(1).expect("process 1");
        file.write().expect("written");
        let text = TakenFile::open(dir.path()).expect_err("it lives").to_string();
        assert!(text.contains("process 1"), "{text}");
    }

    #[test]
    fn after_a_reboot_nothing_is_left() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (mut file, _) = TakenFile::open(dir.path()).expect("fresh");
        file.will_take(veth(1)).expect("written");
        file.content.owner.boot_id = "another".into();
        file.write().expect("written");
        assert!(TakenFile::open(dir.path()).expect("fresh").1.is_empty());
    }

    #[test]
    fn a_damaged_file_is_refused_with_advice() {
        let dir = tempfile::tempdir().expect("temporary directory");
        fs::write(dir.path().join("taken.json"), "{").expect("written");
        let text = TakenFile::open(dir.path()).expect_err("damaged").to_string();
        assert!(text.contains("remove it"), "{text}");
    }
}
