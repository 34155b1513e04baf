//! The daemon: what `vxswitch run` puts together, and its one control thread.
//!
//! The loop waits for signals, the control socket, netlink's news, controllers, packets for them, and
//! the second that is over. None of them is served in a way that waits for anybody outside.

use crate::config::{self, file};
use crate::control::{RunDir, Server, rundir::socket_path};
use crate::openflow::OpenFlow;
use crate::reconcile::Reconciler;
use anyhow::Context;
use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token, Waker};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{ErrorKind, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const STOP: Token = Token(0);
const RELOAD: Token = Token(1);
const NETWORK: Token = Token(2);
const PACKET_IN: Token = Token(3);
/// The control socket's tokens begin here; those of controllers are above 2^32.
const CONTROL: usize = 16;

/// Flow expiry, FDB aging, impatience with clients.
const TICK: Duration = Duration::from_secs(1);

/// Runs the switch until SIGTERM or SIGINT. `rundir`: as said on the command line, which goes
/// before the file.
///
/// # Errors
/// When the configuration is wrong or cannot be brought into force; then nothing of it stays.
pub fn run(config_file: &Path, rundir: Option<&Path>) -> anyhow::Result<()> {
    log_to_stderr();
    // First of all, so that a signal during start is not lost but stops the loop at its first turn.
    let mut stop = Signals::new(&[SIGTERM, SIGINT])?;
    let mut reload = Signals::new(&[SIGHUP])?;
    let config_file = std::path::absolute(config_file)?;
    let config = file::load(&config_file)?;
    let rundir = rundir.map(PathBuf::from).or_else(|| config.rundir.clone());
    let rundir = RunDir::take(&rundir.unwrap_or_else(|| config::DEFAULT_RUNDIR.into()))?;

    let mut poll = Poll::new().context("cannot make an epoll instance")?;
    let registry = poll.registry();
    registry.register(&mut stop.pipe, STOP, Interest::READABLE)?;
    registry.register(&mut reload.pipe, RELOAD, Interest::READABLE)?;
    let mut reconciler = Reconciler::start(&config_file, config, &rundir, registry)?;
    reconciler.register(registry, NETWORK)?;
    reconciler.wake_by(Waker::new(registry, PACKET_IN)?);
    let socket = socket_path(rundir.path());
    let mut server = Server::bind(&socket, registry.try_clone()?, CONTROL)
        .with_context(|| format!("cannot make the control socket {}", socket.display()))?;
    // Who waits for the line below finds every bridge's management socket.
    let mut next_turn = reconciler.serve_controllers();
    eprintln!("vxswitch: ready");

    let mut events = Events::with_capacity(64);
    let mut next_tick = Instant::now() + TICK;
    'serve: loop {
        let next = next_turn.map_or(next_tick, |turn| turn.min(next_tick));
        let wait = next.saturating_duration_since(Instant::now());
        match poll.poll(&mut events, Some(wait)) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            other => other.context("cannot wait for events")?,
        }
        for event in &events {
            match event.token() {
                STOP => break 'serve,
                RELOAD => {
                    reload.drain();
                    match reconciler.reload() {
                        Ok(()) => tracing::info!("reloaded {}", config_file.display()),
                        Err(e) => tracing::error!("not reloaded: {e:#}"),
                    }
                }
                NETWORK => reconciler.network_changed(),
                // Which controllers' packets there are shows in their turn below.
                PACKET_IN => {}
                token if OpenFlow::owns(token) => reconciler.controller_ready(token),
                token => server.ready(token, &mut |request| {
                    let answer = reconciler.handle(request);
                    // A bridge that was added has its management socket before anybody hears of it.
                    reconciler.serve_controllers();
                    answer
                }),
            }
        }
        if Instant::now() >= next_tick {
            next_tick = Instant::now() + TICK;
            reconciler.tick();
            server.tick();
        }
        next_turn = reconciler.serve_controllers();
    }
    // The socket goes first: nobody shall talk to a switch that is taking itself apart.
    drop(server);
    reconciler.stop();
    tracing::info!("stopped");
    Ok(())
}

fn log_to_stderr() {
    use tracing_subscriber::filter::{EnvFilter, LevelFilter};
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .with_env_var("VXSWITCH_LOG")
        .from_env_lossy();
    // Fails only where a subscriber exists already, which then is as good.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}

/// Some signals as something to poll: each writes a byte.
struct Signals {
    pipe: UnixStream,
}

impl Signals {
    fn new(signals: &[i32]) -> anyhow::Result<Self> {
        let (read, write) = std::os::unix::net::UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        for signal in signals {
            signal_hook::low_level::pipe::register(*signal, write.try_clone()?)
                .with_context(|| format!("cannot catch signal {signal}"))?;
        }
        Ok(Self { pipe: UnixStream::from_std(read) })
    }

    /// Empties the pipe: many signals of one kind are one.
    fn drain(&mut self) {
        let mut sink = [0; 64];
        while matches!(self.pipe.read(&mut sink), Ok(n) if n > 0) {}
    }
}
