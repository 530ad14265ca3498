//! `[api]`: where a job can be spoken to while it runs, and what whoever speaks to it has to show.

use super::problem::Problem;
use super::read;
use super::section::{Located, Section};
use super::values::{json_of, template_of};
use serde_json::{Map, Value};
use std::fmt;
use std::path::Path;
use toml::de::DeTable;
use weir_secrets::Template;

/// Where the job can be spoken to while it runs, and what that needs.
#[derive(Clone)]
pub struct Api {
    /// An address as written.
    pub listen: Located<String>,
    /// What each request has to show.
    pub token: Option<Located<Template>>,
    /// What is enough for the figures.
    pub metrics_token: Option<Located<Template>>,
    /// The settings as they hold.
    pub shown: Map<String, Value>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.shown).finish()
    }
}

/// Reads `[api]`.
pub(super) fn read_api(top: &Section<'_>) -> Api {
    let empty = DeTable::new();
    let section = top.table_or_empty("api", &empty);
    let (listen, token, metrics_token) = (section.string_or_default("listen"), section.secret("token"), section.secret("metrics-token"));
    if let (None, Some(alone)) = (&token, &metrics_token) {
        let message =
            "`metrics-token` of [api] stands beside no `token`, so everybody who may read the figures may do everything else as well";
        section.problem(Problem::new(alone.span.clone(), message).hint("say `token` too"));
    }
    Api { listen, token, metrics_token, shown: section.finish() }
}

impl Section<'_> {
    /// What is read where it is used and shown nowhere: so the file must not say it itself.
    pub fn secret(&self, key: &'static str) -> Option<Located<Template>> {
        let Located { value, span } = self.read(key, "`\"${NAME}\"` or `{ file = \"…\" }`", template_of)?;
        match value {
            Ok(template) if template.is_plain() => {
                let message = format!("`{key}` of {} stands in the job file, which goes into savepoints and is shown", self.name);
                self.problem(
                    Problem::new(span, message).hint("name a variable, `\"${NAME}\"`, or a file, `{ file = \"/run/secrets/…\" }`"),
                );
                None
            }
            Ok(template) => {
                self.get(key).into_iter().flat_map(json_of).for_each(|written| self.show(key, written));
                Some(Located { value: template, span })
            }
            Err(error) => {
                self.problem(Problem::new(span, format!("`{key}` of {}: {error}", self.name)).hint(error.hint()));
                None
            }
        }
    }
}

/// What `token` in `[api]` of the job file at `path` leads to now; `None`: there is none, or it cannot be read here.
pub(crate) fn api_token(path: &Path) -> Option<String> {
    let text = read(path).ok()?;
    let table = DeTable::parse(&text).ok()?;
    let api = table.get_ref().get("api")?.get_ref().as_table()?;
    template_of(api.get("token")?.get_ref())?.ok()?.secret().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_where_the_job_file_says_that_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let (secret, job) = (folder.path().join("secret"), folder.path().join("job.toml"));
        std::fs::write(&secret, "open sesame\n").expect("written");
        let token = |text: &str| {
            std::fs::write(&job, text).expect("written");
            api_token(&job)
        };
        assert_eq!(token(&format!("[api]\ntoken = {{ file = {:?} }}\n", secret.display().to_string())), Some("open sesame".into()));
        for text in ["", "[api]\n", "[api]\ntoken = 7\n", "[api]\ntoken = { file = \"/nowhere\" }\n", "[api\n", "api = 3\n"] {
            assert_eq!(token(text), None, "{text}");
        }
        assert_eq!(api_token(Path::new("/nowhere")), None);
    }
}
