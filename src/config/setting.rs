//! One `key = value`, and how it becomes a number, an address, a list.

use super::Line;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A value before its key has given it a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// TOML boolean.
    Bool(bool),
    /// TOML integer.
    Int(i64),
    /// TOML array.
    List(Vec<Value>),
    /// Something that no key takes, by its TOML name (float, datetime, table).
    Other(&'static str),
    /// TOML string.
    Text(String),
    /// Argument of the command line: untyped, the key decides.
    Word(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(n) => write!(f, "{n}"),
            Self::List(_) => f.write_str("an array"),
            Self::Other(name) => write!(f, "a {name}"),
            Self::Text(s) | Self::Word(s) => write!(f, "\"{s}\""),
        }
    }
}

/// A key, its value, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Key.
    pub key: String,
    /// Value.
    pub value: Value,
    /// Where.
    pub line: Line,
}

impl Setting {
    /// From an argument `key=value`.
    ///
    /// # Errors
    /// When there is no `=`.
    pub fn from_word(word: &str) -> Result<Self, Problem> {
        let (key, value) = word.split_once('=').ok_or_else(|| {
            Problem::new(Line(None), format!("\"{word}\" is not a setting; expected key=value"))
        })?;
        Ok(Self { key: key.into(), value: Value::Word(value.into()), line: Line(None) })
    }

    /// From many such arguments.
    ///
    /// # Errors
    /// All that have no `=`.
    pub fn from_words(words: &[String]) -> Result<Vec<Self>, Vec<Problem>> {
        let mut good = Vec::new();
        let mut bad = Vec::new();
        for word in words {
            match Self::from_word(word) {
                Ok(s) => good.push(s),
                Err(p) => bad.push(p),
            }
        }
        if bad.is_empty() { Ok(good) } else { Err(bad) }
    }

    fn expected(&self, what: &str) -> Problem {
        Problem::new(self.line, format!("{} = {}: expected {what}", self.key, self.value))
    }

    /// The value as a number between `low` and `high`; `0x` before it makes it hexadecimal.
    ///
    /// # Errors
    /// When it is not.
    pub fn integer(&self, low: i64, high: i64) -> Result<i64, Problem> {
        let n = match &self.value {
            Value::Int(n) => Some(*n),
            Value::Word(w) => match w.strip_prefix("0x") {
                Some(hex) => i64::from_str_radix(hex, 16).ok(),
                None => w.parse().ok(),
            },
            _ => None,
        };
        n.filter(|n| (low..=high).contains(n))
            .ok_or_else(|| self.expected(&format!("a number from {low} to {high}")))
    }

    /// The value as a boolean.
    ///
    /// # Errors
    /// When it is not.
    pub fn boolean(&self) -> Result<bool, Problem> {
        match &self.value {
            Value::Bool(b) => Ok(*b),
            Value::Word(w) if w == "true" => Ok(true),
            Value::Word(w) if w == "false" => Ok(false),
            _ => Err(self.expected("true or false")),
        }
    }

    /// The value as a string; `what` says what it should be.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn text(&self, what: &str) -> Result<&str, Problem> {
        match &self.value {
            Value::Text(s) | Value::Word(s) => Ok(s),
            _ => Err(self.expected(what)),
        }
    }

    /// The value as a string that parses; `what` says what it should be.
    ///
    /// # Errors
    /// When it does not.
    pub fn parsed<T: FromStr>(&self, what: &str) -> Result<T, Problem> {
        self.text(what)?.parse().map_err(|_| self.expected(what))
    }

    /// The value as an IP address that a tunnel can have at an end.
    ///
    /// # Errors
    /// When it is none, or multicast or unspecified.
    pub fn unicast_ip(&self, what: &str) -> Result<IpAddr, Problem> {
        let ip: IpAddr = self.parsed(what)?;
        if ip.is_multicast() || ip.is_unspecified() || ip == IpAddr::from([255; 4]) {
            return Err(self.expected(&format!("{what} of one host")));
        }
        Ok(ip)
    }

    /// The value as the MAC address of one interface.
    ///
    /// # Errors
    /// When it is none, or a group address, or all zero.
    pub fn unicast_mac(&self) -> Result<[u8; 6], Problem> {
        let what = "a MAC address such as 02:00:00:00:00:01";
        let mac = parse_mac(self.text(what)?).ok_or_else(|| self.expected(what))?;
        if mac[0] & 1 != 0 || mac == [0; 6] {
            return Err(self.expected("the MAC address of one interface, not a group or zero"));
        }
        Ok(mac)
    }

    /// The value as one of a few words.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, Problem> {
        let words: Vec<&str> = choices.iter().map(|c| c.0).collect();
        let what = words.join(", ");
        let text = self.text(&what)?;
        let hit = choices.iter().find(|c| c.0 == text);
        hit.map(|c| c.1).ok_or_else(|| self.expected(&format!("one of {what}")))
    }

    /// The value as numbers between `low` and `high`: an array in TOML, `1,2,3` as an argument.
    ///
    /// # Errors
    /// When it is something else.
    pub fn integers(&self, low: i64, high: i64) -> Result<Vec<i64>, Problem> {
        let what = format!("a list of numbers from {low} to {high}");
        let numbers: Option<Vec<i64>> = match &self.value {
            Value::List(values) => {
                values.iter().map(|v| if let Value::Int(n) = v { Some(*n) } else { None }).collect()
            }
            Value::Word(w) => w.split(',').map(|n| n.parse().ok()).collect(),
            _ => None,
        };
        numbers
            .filter(|l| l.iter().all(|n| (low..=high).contains(n)))
            .ok_or_else(|| self.expected(&what))
    }

    /// The value as strings: one, or an array of them in TOML; `a,b` as an argument, or nothing.
    ///
    /// # Errors
    /// When it is something else.
    pub fn texts(&self, what: &str) -> Result<Vec<&str>, Problem> {
        let texts: Option<Vec<&str>> = match &self.value {
            Value::Text(s) => Some(vec![s]),
            Value::Word(w) if w.is_empty() => Some(Vec::new()),
            Value::Word(w) => Some(w.split(',').collect()),
            Value::List(values) => values
                .iter()
                .map(|v| if let Value::Text(s) = v { Some(s.as_str()) } else { None })
                .collect(),
            _ => None,
        };
        texts.ok_or_else(|| self.expected(what))
    }

    /// The problem of a key that does not exist here.
    #[must_use]
    pub fn unknown(&self, of: &str, known: &[&str]) -> Problem {
        Problem::new(
            self.line,
            format!("unknown key \"{}\" of {of}; expected one of {}", self.key, known.join(", ")),
        )
    }
}

/// Parses `02:00:00:00:00:01`.
#[must_use]
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next().filter(|p| p.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

/// Formats a MAC address.
#[must_use]
pub fn format_mac(mac: &[u8; 6]) -> String {
    mac.map(|b| format!("{b:02x}")).join(":")
}

/// Something wrong with the desired state, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub line: Line,
    /// What is wrong; what was expected.
    pub what: String,
}

impl Problem {
    /// A problem at a line.
    #[must_use]
    pub fn new(line: Line, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }

    /// `FILE:LINE: what`.
    #[must_use]
    pub fn in_file(&self, file: &std::path::Path) -> String {
        match self.line.0 {
            Some(n) => format!("{}:{n}: {}", file.display(), self.what),
            None => format!("{}: {}", file.display(), self.what),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Whether `name` can name a network device (`dev_valid_name` in the kernel's net/core/dev.c).
///
/// # Errors
/// What is wrong with it, at `line`.
pub fn check_name(name: &str, line: Line) -> Result<(), Problem> {
    let refuse = |why: &str| {
        Err(Problem::new(
            line,
            format!("name \"{name}\" {why}; expected 1 to 15 bytes such as veth1"),
        ))
    };
    if name.is_empty() {
        refuse("is empty")
    } else if name.len() > 15 {
        refuse(&format!("has {} bytes", name.len()))
    } else if name == "." || name == ".." {
        refuse("names a directory")
    } else if name
        .contains(|c: char| c == '/' || c == ':' || c == '%' || c.is_whitespace() || c.is_control())
    {
        refuse("contains a character that device names cannot have")
    } else {
        Ok(())
    }
}
