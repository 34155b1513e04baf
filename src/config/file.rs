//! The TOML file of the desired state.

use super::check::check_file;
use super::{Bridge, Config, Line, MAX_WORKERS, Port, Problem, Setting, Value};
use ofagent::channel::TlsFiles;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Everything that is wrong with a file; each prints as `FILE:LINE: what`.
#[derive(Clone, Debug)]
pub struct FileError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, in the order of the lines.
    pub problems: Vec<Problem>,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.problems.iter().map(|p| p.in_file(&self.file)).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for FileError {}

/// Reads a file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(file: &Path) -> Result<Config, FileError> {
    let fail = |problems| FileError { file: file.into(), problems };
    let text = std::fs::read_to_string(file)
        .map_err(|e| fail(vec![Problem::new(Line(None), format!("cannot read it: {e}"))]))?;
    parse(&text, file).map_err(fail)
}

/// Parses a file's text; paths in it are relative to `file`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str, file: &Path) -> Result<Config, Vec<Problem>> {
    let reader = Reader::new(text);
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        Err(e) => {
            let line = Line(e.span().map(|s| reader.line(s.start)));
            let what = e.message().trim().replace('\n', ", ");
            return Err(vec![Problem::new(line, format!("not TOML: {what}"))]);
        }
    };
    let mut problems = Vec::new();
    let mut config = reader.config(root.get_ref(), &mut problems);
    let dir = file.parent().unwrap_or(Path::new(""));
    for bridge in &mut config.bridges {
        // join() leaves absolute paths alone.
        bridge.flows = bridge.flows.as_ref().map(|f| dir.join(f));
    }
    if let Some(ssl) = &mut config.ssl {
        for file in [&mut ssl.private_key, &mut ssl.certificate, &mut ssl.ca_cert] {
            *file = dir.join(&*file);
        }
    }
    problems.extend(check_file(&config));
    if problems.is_empty() {
        return Ok(config);
    }
    problems.sort_by_key(|p| p.line.0);
    Err(problems)
}

struct Reader {
    /// Byte offsets at which lines begin.
    starts: Vec<usize>,
}

impl Reader {
    fn new(text: &str) -> Self {
        let ends = text.match_indices('\n').map(|(i, _)| i + 1);
        Self { starts: std::iter::once(0).chain(ends).collect() }
    }

    /// Line (from 1) of a byte offset.
    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|s| *s <= offset)
    }

    fn line_of<T>(&self, spanned: &Spanned<T>) -> Line {
        Line(Some(self.line(spanned.span().start)))
    }

    fn config(&self, root: &DeTable<'_>, problems: &mut Vec<Problem>) -> Config {
        let mut config = Config::default();
        for (key, value) in root {
            match key.get_ref().as_ref() {
                "switch" => match value.get_ref().as_table() {
                    Some(table) => self.switch(table, &mut config, problems),
                    None => problems.push(Problem::new(
                        self.line_of(key),
                        "switch is not a table; expected [switch]",
                    )),
                },
                "ssl" => match value.get_ref().as_table() {
                    Some(table) => config.ssl = self.ssl(key, table, problems),
                    None => problems.push(Problem::new(
                        self.line_of(key),
                        "ssl is not a table; expected [ssl]",
                    )),
                },
                "bridge" => {
                    for table in self.tables(value, "bridge", "[[bridge]]", problems) {
                        config.bridges.extend(self.bridge(table, problems));
                    }
                }
                other => problems.push(Problem::new(
                    self.line_of(key),
                    format!("unknown table \"{other}\"; expected [switch], [ssl] or [[bridge]]"),
                )),
            }
        }
        config
    }

    /// The tables of an array of tables.
    fn tables<'a, 'i>(
        &self,
        value: &'a Spanned<DeValue<'i>>,
        name: &str,
        expected: &str,
        problems: &mut Vec<Problem>,
    ) -> Vec<&'a Spanned<DeValue<'i>>> {
        let items: Vec<_> = value.get_ref().as_array().into_iter().flatten().collect();
        if !value.get_ref().is_array() || items.iter().any(|i| !i.get_ref().is_table()) {
            let what = format!("{name} is not an array of tables; expected {expected}");
            problems.push(Problem::new(self.line_of(value), what));
            return Vec::new();
        }
        items
    }

    fn switch(&self, table: &DeTable<'_>, config: &mut Config, problems: &mut Vec<Problem>) {
        for s in self.settings(table, &[]) {
            let result = match s.key.as_str() {
                "rundir" => match s.text("a directory") {
                    Ok(dir) if Path::new(dir).is_absolute() => {
                        config.rundir = Some(dir.into());
                        Ok(())
                    }
                    Ok(_) => Err(Problem::new(
                        s.line,
                        format!("rundir = {}: expected an absolute path", s.value),
                    )),
                    Err(p) => Err(p),
                },
                "workers" => s.integer(1, MAX_WORKERS).map(|n| config.workers = n as usize),
                _ => Err(s.unknown("[switch]", &["rundir", "workers"])),
            };
            problems.extend(result.err());
        }
    }

    fn ssl(
        &self,
        key: &Spanned<impl Sized>,
        table: &DeTable<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<TlsFiles> {
        let mut files = TlsFiles::default();
        let before = problems.len();
        for s in self.settings(table, &[]) {
            let file = match s.key.as_str() {
                "private_key" => &mut files.private_key,
                "certificate" => &mut files.certificate,
                "ca_cert" => &mut files.ca_cert,
                _ => {
                    problems.push(s.unknown("[ssl]", &["private_key", "certificate", "ca_cert"]));
                    continue;
                }
            };
            match s.text("a PEM file") {
                Ok(text) => *file = text.into(),
                Err(p) => problems.push(p),
            }
        }
        for (name, file) in [
            ("private_key", &files.private_key),
            ("certificate", &files.certificate),
            ("ca_cert", &files.ca_cert),
        ] {
            if file.as_os_str().is_empty() && problems.len() == before {
                let what = format!("[ssl] has no {name}; expected {name} = \"FILE\"");
                problems.push(Problem::new(self.line_of(key), what));
            }
        }
        (problems.len() == before).then_some(files)
    }

    fn bridge(&self, value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Option<Bridge> {
        let table = value.get_ref().as_table()?;
        let (name, line) = self.name(value, table, "[[bridge]]", problems)?;
        let settings = self.settings(table, &["name", "port"]);
        let mut bridge = Bridge::from_settings(&name, line, &settings, problems);
        if let Some(ports) = table.get("port") {
            for port in self.tables(ports, "port", "[[bridge.port]]", problems) {
                bridge.ports.extend(self.port(port, problems));
            }
        }
        Some(bridge)
    }

    fn port(&self, value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Option<Port> {
        let table = value.get_ref().as_table()?;
        let (name, line) = self.name(value, table, "[[bridge.port]]", problems)?;
        let settings = self.settings(table, &["name"]);
        // Problems are told apart by port, so that one port's do not hide another's.
        let mut own = Vec::new();
        let port = Port::from_settings(&name, line, &settings, &mut own);
        problems.append(&mut own);
        Some(port)
    }

    /// A table's `name`, and its line.
    fn name(
        &self,
        value: &Spanned<DeValue<'_>>,
        table: &DeTable<'_>,
        of: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<(String, Line)> {
        let (line, what) = match table.get("name") {
            None => (self.line_of(value), format!("{of} has no name; expected name = \"...\"")),
            Some(name) => match name.get_ref().as_str() {
                Some(text) => return Some((text.into(), self.line_of(name))),
                None => {
                    (self.line_of(name), "name is not a string; expected name = \"...\"".into())
                }
            },
        };
        problems.push(Problem::new(line, what));
        None
    }

    fn settings(&self, table: &DeTable<'_>, without: &[&str]) -> Vec<Setting> {
        let mut settings: Vec<Setting> = table
            .iter()
            .filter(|(key, _)| !without.contains(&key.get_ref().as_ref()))
            .map(|(key, value)| Setting {
                key: key.get_ref().to_string(),
                value: convert(value.get_ref()),
                line: self.line_of(key),
            })
            .collect();
        settings.sort_by_key(|s| s.line.0);
        settings
    }
}

fn convert(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::Array(items) => Value::List(items.iter().map(|i| convert(i.get_ref())).collect()),
        DeValue::Boolean(b) => Value::Bool(*b),
        DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) => Value::Int(n),
            Err(_) => Value::Other("number of more than 64 bits"),
        },
        DeValue::String(s) => Value::Text(s.to_string()),
        other => Value::Other(other.type_str()),
    }
}
