//! The command line's end of the control socket.

use super::message::{Request, Response};
use super::rundir::socket_path;
use anyhow::{Context, anyhow, bail};
use serde::de::DeserializeOwned;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the daemon of a run directory.
    ///
    /// # Errors
    /// When none runs, saying how to start it.
    pub fn connect(rundir: &Path) -> anyhow::Result<Self> {
        let path = socket_path(rundir);
        let stream = UnixStream::connect(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => anyhow!(
                "no vxswitch is running with the run directory {}; start one with \
                 `vxswitch run -c FILE`, or name another directory with --rundir DIR",
                rundir.display()
            ),
            ErrorKind::PermissionDenied => {
                anyhow!("not allowed to use {}; only root may", path.display())
            }
            _ => anyhow!("cannot connect to {}: {e}", path.display()),
        })?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    /// When the daemon refuses or goes away.
    pub fn call<T: DeserializeOwned>(&mut self, request: &Request) -> anyhow::Result<T> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        // A daemon that refuses a request too long says so and closes: read that rather than
        // stop at the failed write.
        let written = self.stream.get_mut().write_all(&line);
        let mut answer = Vec::new();
        self.stream.read_until(b'\n', &mut answer).context("vxswitch went away")?;
        if answer.is_empty() {
            written.context("vxswitch went away")?;
            bail!("vxswitch closed the connection without an answer");
        }
        match serde_json::from_slice(&answer).context("cannot read vxswitch's answer")? {
            Response::Ok(value) => {
                serde_json::from_value(value).context("cannot read vxswitch's answer")
            }
            Response::Error(why) => bail!(why),
        }
    }
}
