//! `weir plugin test`.

use serde::Serialize;

/// `weir plugin test`.
#[derive(Clone, Debug, Serialize)]
pub struct PluginTestDocument {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// Each test that was run, in order.
    pub tests: Vec<TestDocument>,
}

/// One test.
#[derive(Clone, Debug, Serialize)]
pub struct TestDocument {
    /// The file that it stands in.
    pub file: String,
    /// Its name there.
    pub name: String,
    /// True where all came as it says.
    pub passed: bool,
    /// What did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedTestDocument>,
}

/// What came otherwise than a test says.
#[derive(Clone, Debug, Serialize)]
pub struct FailedTestDocument {
    /// The step's number, from 1; without it the operator was not opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// What the step was.
    pub what: String,
    /// What is wrong.
    pub message: String,
    /// Records or rows of state that the test says and that are not there, as a test writes them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Those that are there and the test does not say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub surplus: Vec<String>,
    /// Records of each batch that the step's were cut into, where they were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<usize>,
    /// What they were cut by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Whether each call was one of a new instance.
    pub forgetful: bool,
}
