//! The settings of standard input: those of rows, as files have them, and the header that CSV is to have.

use super::super::csv_rows::wanted_columns;
use super::super::options::{FileOptions, Format, STDIN_SETTINGS};
use crate::settings::{Settings, SettingsError};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// The settings.
#[derive(Clone, Debug)]
pub(super) struct StdinOptions {
    pub rows: FileOptions,
    /// The header that the first row is to be (csv).
    pub header: Option<String>,
    /// The settings say that no cell holds a line end.
    pub lines_are_rows: bool,
}

impl StdinOptions {
    /// Reads the settings; gives them back with their defaults.
    pub(super) fn read(settings: &Map<String, Value>) -> Result<(Self, Map<String, Value>), SettingsError> {
        let mut settings = Settings::of_source("stdin", STDIN_SETTINGS, settings);
        let mut rows = FileOptions::of_rows(&mut settings, "standard input".into(), PathBuf::new())?;
        let header = settings.optional_text("header")?;
        if rows.format == Format::Csv {
            // Nobody can look ahead: quoted cells may hold line breaks unless the settings say otherwise.
            let multiline = *rows.multiline.get_or_insert(true);
            settings.show("multiline", multiline);
        } else if header.is_some() {
            let message = format!("`header` has no meaning with `format = \"{}\"`", rows.format.name());
            return Err(SettingsError::at("header", message).with_hint("say `format = \"csv\"`, or leave it out"));
        }
        if let Some(header) = &header {
            wanted_columns(&rows, header)?;
        }
        let lines_are_rows = rows.multiline == Some(false);
        Ok((Self { rows, header, lines_are_rows }, settings.finish()?))
    }
}
