//! Which network namespace a container is in.
//!
//! Docker and podman are asked through their own command lines, so that whatever they are
//! configured with (contexts, remote sockets, rootless storage) holds here too.

use super::netns::NetNs;
use super::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a container tool may take. The control thread waits for it.
const TOOL_TIMEOUT: Duration = Duration::from_secs(10);

/// The tools, in the order in which they are asked.
pub(crate) const TOOLS: [&str; 2] = ["docker", "podman"];

/// Where a port's other end goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// `--container NAME`: a container of Docker or podman, by name or id.
    Container(String),
    /// `--netns NAME|PID`: a name of `ip netns`, a PID, or a path.
    Netns(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(name) => write!(f, "container '{name}'"),
            Self::Netns(name) => write!(f, "network namespace '{name}'"),
        }
    }
}

impl Target {
    /// Opens its network namespace.
    pub fn open(&self) -> Result<NetNs> {
        match self {
            Self::Container(name) => NetNs::by_pid(container_pid(name)?),
            Self::Netns(name) => NetNs::parse(name),
        }
    }

    /// The operator's word.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Container(name) | Self::Netns(name) => name,
        }
    }
}

/// The PID of a running container's first process, asked of Docker, then of podman.
pub fn container_pid(name: &str) -> Result<u32> {
    let doing = format!("find container '{name}'");
    if name.is_empty() || name.starts_with('-') {
        return Err(Error::new(doing, "this is not a container's name", ""));
    }
    let mut said = Vec::new();
    for tool in TOOLS {
        match ask(tool, name) {
            Answer::Pid(pid) => return Ok(pid),
            Answer::NotRunning => {
                return Err(Error::new(
                    doing,
                    format!("{tool} knows it, but it is not running"),
                    format!("`{tool} start {name}`"),
                ));
            }
            Answer::Failed(text) => said.push(format!("{tool}: {text}")),
        }
    }
    Err(Error::new(
        doing,
        said.join("; "),
        "name a container that `docker ps` or `podman ps` lists, or use --netns with a PID",
    ))
}

enum Answer {
    Pid(u32),
    NotRunning,
    Failed(String),
}

fn ask(tool: &str, name: &str) -> Answer {
    let mut command = Command::new(tool);
    command.args(["inspect", "--type", "container", "-f", "{{.State.Pid}}", name]);
    match output(&mut command) {
        Ok(Output { success: true, stdout, .. }) => match stdout.trim().parse() {
            Ok(0) => Answer::NotRunning,
            Ok(pid) => Answer::Pid(pid),
            Err(_) => Answer::Failed(format!("expected a PID, got '{}'", stdout.trim())),
        },
        Ok(Output { stderr, .. }) => Answer::Failed(one_line(&stderr)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Answer::Failed("not installed".into())
        }
        Err(e) => Answer::Failed(e.to_string()),
    }
}

/// What a tool printed, and whether it was content.
pub(crate) struct Output {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a tool whose output is short (it fits in the pipes' buffers) and ends it if it takes too
/// long.
pub(crate) fn output(command: &mut Command) -> std::io::Result<Output> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let end = Instant::now() + TOOL_TIMEOUT;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::other(format!(
                "gave no answer within {} s",
                TOOL_TIMEOUT.as_secs()
            )));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |pipe: Option<&mut dyn Read>| -> std::io::Result<String> {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            pipe.read_to_end(&mut bytes)?;
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(Output {
        success: status.success(),
        stdout: read(child.stdout.as_mut().map(|p| p as _))?,
        stderr: read(child.stderr.as_mut().map(|p| p as _))?,
    })
}

/// The first line that says something.
pub(crate) fn one_line(text: &str) -> String {
    let line = text.lines().find(|l| !l.trim().is_empty());
    line.unwrap_or("failed and said nothing").trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_container_names_both_tools() {
        let error = container_pid("vxs-no-such-container").expect_err("it does not exist");
        let text = error.to_string();
        assert!(text.contains("docker: ") && text.contains("podman: "), "{text}");
        assert!(container_pid("--help").is_err());
    }
}
