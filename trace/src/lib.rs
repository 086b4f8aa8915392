//! Traces: what a client was told and what it decided, recorded on any host, replayed here to the identical outputs.
//!
//! A trace is the calls over the boundary of [`heartline_client_core::boundary`], in JSON, so a phone's becomes a test. No payload, address or token
//! crosses that boundary: what a trace tells of its app are the names of events.
//!
//! ```json
//! {"heartline":1,"lives":[{"engine":"wasm","dropped":0,"calls":[
//!   ["create",[7,1000],0,[]],
//!   ["feed",[0,1000,0,0,0,0],-1,[]],
//!   ["feed",[4,1000,1,0,0,0],10000,[0,1,0,0,10,1,0,0]]]}]}
//! ```
//!
//! Each call has its name, its arguments without the instance, its answer (`null`: it trapped), and its outputs: a kind and three
//! numbers each. A life is one core from its making; the last two of a client are kept. Where `dropped` is not 0 the beginning is gone,
//! because the record has a bound: such a life can be read, not replayed.

mod recorder;
mod replay;
mod story;
mod told;

pub use recorder::Recorder;
pub use replay::{Divergence, Outcome, Replayed};

use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of the form.
pub const VERSION: u32 = 1;

/// What was recorded of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// [`VERSION`].
    pub heartline: u32,
    /// Its cores, the present one last.
    pub lives: Vec<Life>,
}

/// One core, from its making.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// What ran it: `wx`, `wasm`, `js`, `native` …
    pub engine: String,
    /// So many calls before these were not kept.
    pub dropped: u64,
    /// The calls, in their order.
    pub calls: Vec<Call>,
}

/// One call: its name, its arguments, its answer, its outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call(pub String, pub Vec<Argument>, pub Option<i64>, pub Vec<i64>);

/// A number of the boundary, signed or not as its host has it; or a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Argument {
    /// A number: its low 32 bits count.
    Number(i64),
    /// A text.
    Text(String),
}

/// Why a text is no trace.
#[derive(Debug)]
pub enum TraceError {
    /// It is not of this form.
    Form(serde_json::Error),
    /// It is of another version.
    Version(u32),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(error) => write!(f, "this is no trace: {error}"),
            Self::Version(version) => {
                write!(
                    f,
                    "the trace is of version {version}; {VERSION} is read here"
                )
            }
        }
    }
}

impl std::error::Error for TraceError {}

impl Trace {
    /// Reads a trace.
    ///
    /// # Errors
    /// [`TraceError`], which names the place.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let trace: Self = serde_json::from_str(text).map_err(TraceError::Form)?;
        if trace.heartline == VERSION {
            Ok(trace)
        } else {
            Err(TraceError::Version(trace.heartline))
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> String {
        // Numbers and texts always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}
