//! `flow add`, `mod` and `del`: from arguments and files to a request.

use super::args::{FlowVerb, Flows};
use crate::control::Request;
use crate::control::message::{FlowCommand, FlowText};
use anyhow::Context;
use std::io::Read;
use std::path::Path;

/// The request of a verb that changes flows.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn request(verb: FlowVerb) -> anyhow::Result<Request> {
    let (bridge, command, flows) = match verb {
        FlowVerb::Add { bridge, flows } => (bridge, FlowCommand::Add, texts(&flows)?),
        FlowVerb::Mod { bridge, flows, strict } => {
            let command = if strict { FlowCommand::ModifyStrict } else { FlowCommand::Modify };
            (bridge, command, texts(&flows)?)
        }
        FlowVerb::Del { bridge, matching, strict } => {
            let command = if strict { FlowCommand::DeleteStrict } else { FlowCommand::Delete };
            let flow = matching.unwrap_or_default();
            (bridge, command, vec![FlowText { at: String::new(), flow }])
        }
        FlowVerb::List { bridge, matching } => return Ok(Request::FlowList { bridge, matching }),
    };
    Ok(Request::FlowMod { bridge, command, flows })
}

fn texts(flows: &Flows) -> anyhow::Result<Vec<FlowText>> {
    if let Some(flow) = &flows.flow {
        return Ok(vec![FlowText { at: String::new(), flow: flow.clone() }]);
    }
    let Some(file) = &flows.file else { return Ok(Vec::new()) };
    let (name, text) = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        ("stdin".into(), text)
    } else {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
        (name, text)
    };
    Ok(crate::flows::lines(&text)
        .map(|(n, flow)| FlowText { at: format!("{name}:{n}"), flow: flow.into() })
        .collect())
}
