//! What is wrong with a flow's text.

use std::fmt;

/// A piece of text that is no flow, and what was expected in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Line in the file, from 1; `None` for a flow on its own.
    pub line: Option<usize>,
    /// The piece of text.
    pub token: String,
    /// What is wrong with it, or what was expected.
    pub problem: String,
}

impl ParseError {
    pub(super) fn new(token: &str, problem: impl Into<String>) -> Self {
        Self { line: None, token: token.to_owned(), problem: problem.into() }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "\"{}\": {}", self.token, self.problem)
    }
}

impl std::error::Error for ParseError {}
