//! The user's credentials for a registry: what the environment says of it, else what Docker and Podman keep, and the helpers that their files name.
//!
//! Those of the environment are for one registry, which it names: nothing is sent to another because a job file refers to it. What fails is said without what
//! a helper or a file holds.

use super::docker::{Configured, configured};
use super::{failure, helper};
use crate::job_file::OciReference;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use weir_engine::{EngineError, ErrorKind};

/// Bytes of a file of credentials.
const FILE_BYTES: u64 = 1 << 20;

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// Nobody that is known.
    Anonymous,
    /// A user.
    Basic(String, String),
    /// Who holds this token, which gets others.
    Identity(String),
}

/// A variable of an environment, by its name.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Credentials {
    /// Those of this process for the reference's registry, and where they were found.
    pub fn of_process(reference: &OciReference) -> Result<(Self, String), EngineError> {
        Self::of(reference, &|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn of(reference: &OciReference, variable: Variable<'_>) -> Result<(Self, String), EngineError> {
        if let Some(found) = Self::of_environment(reference, variable)? {
            return Ok((found, "WEIR_REGISTRY_USER".into()));
        }
        for path in files(variable) {
            let Ok(file) = File::open(&path) else { continue };
            let mut text = Vec::new();
            let read = file.take(FILE_BYTES).read_to_end(&mut text).map_err(|error| error.to_string());
            let found = read.and_then(|_| configured(&text, reference)).and_then(|found| match found {
                Configured::Nothing => Ok(None),
                Configured::Known(known) => Ok(Some(known)),
                Configured::Helper(name, server) => helper::ask(&name, &server),
            });
            let found = found.map_err(|what| {
                let registry = &reference.registry;
                EngineError::new(ErrorKind::FixInput, format!("find credentials for {registry} in {}: {what}", path.display()))
                    .with_hint(failure::credentials(reference))
            })?;
            if let Some(found) = found {
                return Ok((found, path.display().to_string()));
            }
        }
        Ok((Self::Anonymous, String::new()))
    }

    fn of_environment(reference: &OciReference, variable: Variable<'_>) -> Result<Option<Self>, EngineError> {
        let wrong = |what: String| Err(EngineError::new(ErrorKind::FixInput, what).with_hint(failure::credentials(reference)));
        let user = variable("WEIR_REGISTRY_USER");
        match variable("WEIR_REGISTRY") {
            None if user.is_some() => return wrong("there is a WEIR_REGISTRY_USER, and no WEIR_REGISTRY that names whose it is".into()),
            Some(host) if host.contains('/') => {
                return wrong(format!("WEIR_REGISTRY is a host, as a reference begins with, and not `{host}`"));
            }
            Some(host) if host == reference.registry => {}
            _ => return Ok(None),
        }
        let Some(user) = user else { return wrong("WEIR_REGISTRY names a registry, and WEIR_REGISTRY_USER nobody".into()) };
        let password = match (variable("WEIR_REGISTRY_PASSWORD"), variable("WEIR_REGISTRY_PASSWORD_FILE")) {
            (Some(password), None) => password,
            (None, Some(path)) => {
                let mut text = String::new();
                let read = File::open(&path).and_then(|file| file.take(FILE_BYTES).read_to_string(&mut text));
                match read {
                    Ok(_) => text.trim_end_matches(['\n', '\r']).to_owned(),
                    Err(error) => return wrong(format!("read WEIR_REGISTRY_PASSWORD_FILE, {path}: {error}")),
                }
            }
            (None, None) => return wrong("there is a WEIR_REGISTRY_USER and no password".into()),
            (Some(_), Some(_)) => return wrong("WEIR_REGISTRY_PASSWORD and WEIR_REGISTRY_PASSWORD_FILE say two things".into()),
        };
        Ok(Some(Self::Basic(user, password)))
    }
}

/// Where Docker and Podman keep credentials.
fn files(variable: Variable<'_>) -> Vec<PathBuf> {
    let folder = |name: &str, inner: &str| variable(name).map(|folder| PathBuf::from(folder).join(inner));
    let docker = folder("DOCKER_CONFIG", "config.json").or_else(|| folder("HOME", ".docker/config.json"));
    let podman = variable("REGISTRY_AUTH_FILE").map(PathBuf::from);
    let podman = podman.or_else(|| folder("XDG_RUNTIME_DIR", "containers/auth.json").filter(|path| path.is_file()));
    let podman = podman.or_else(|| folder("HOME", ".config/containers/auth.json"));
    [docker, podman].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn of(registry: &str, variables: &[(&str, &str)]) -> Result<Credentials, String> {
        let reference = OciReference::parse(&format!("{registry}/a:1")).expect("a reference");
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Credentials::of(&reference, &variable).map(|(found, _)| found).map_err(|error| error.to_string())
    }

    fn basic(user: &str, password: &str) -> Result<Credentials, String> {
        Ok(Credentials::Basic(user.into(), password.into()))
    }

    #[track_caller]
    fn check(found: Result<Credentials, String>, expect: Result<Credentials, String>) {
        // Credentials are not shown, in tests neither.
        assert!(found == expect, "{}", found.err().unwrap_or_else(|| "others".into()));
    }

    #[test]
    fn dockers_file_is_read_and_podmans_behind_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().to_str().expect("a path");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).and_then(|()| fs::write(path, text)).expect("a file");
        };
        check(of("a.example", &[("HOME", home)]), Ok(Credentials::Anonymous));
        // `me:secret`, and `you:other`.
        write(".docker/config.json", r#"{"auths":{"a.example":{"auth":"bWU6c2VjcmV0"},"b.example":{"identitytoken":"t"}}}"#);
        write(".config/containers/auth.json", r#"{"auths":{"a.example":{"auth":"eA=="},"c.example":{"auth":"eW91Om90aGVy"}}}"#);
        check(of("a.example", &[("HOME", home)]), basic("me", "secret"));
        check(of("b.example", &[("HOME", home)]), Ok(Credentials::Identity("t".into())));
        check(of("c.example", &[("HOME", home)]), basic("you", "other"));
        check(of("a.example:5000", &[("HOME", home)]), Ok(Credentials::Anonymous));
        write("other/config.json", r#"{"auths":{"a.example":{"auth":"eW91Om90aGVy"}}}"#);
        check(of("a.example", &[("HOME", home), ("DOCKER_CONFIG", &format!("{home}/other"))]), basic("you", "other"));
        write("other/config.json", "{");
        let broken = of("a.example", &[("DOCKER_CONFIG", &format!("{home}/other"))]).err().expect("it is broken");
        assert!(broken.contains("other/config.json"), "{broken}");
    }

    #[test]
    fn those_of_the_environment_are_for_the_registry_that_it_names_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        fs::write(&file, "s3cret\n").expect("a file");
        let (user, path) = (("WEIR_REGISTRY_USER", "me"), file.to_str().expect("a path"));
        let named = ("WEIR_REGISTRY", "a.example");
        check(of("a.example", &[named, user, ("WEIR_REGISTRY_PASSWORD_FILE", path)]), basic("me", "s3cret"));
        check(of("a.example", &[named, user, ("WEIR_REGISTRY_PASSWORD", "x")]), basic("me", "x"));
        check(of("b.example", &[named, user, ("WEIR_REGISTRY_PASSWORD", "x")]), Ok(Credentials::Anonymous));
        assert!(of("a.example", &[named, user]).is_err() && of("a.example", &[named]).is_err());
        assert!(of("a.example", &[named, user, ("WEIR_REGISTRY_PASSWORD_FILE", "/no/such")]).is_err());
        let check = |variables: &[(&str, &str)], expect: &str| {
            let why = of("a.example", variables).err().expect("it says too little");
            assert!(why.contains(expect), "{why}");
        };
        check(&[user, ("WEIR_REGISTRY_PASSWORD", "x")], "no WEIR_REGISTRY that names whose it is");
        check(&[("WEIR_REGISTRY", "http://a.example"), user], "is a host");
    }
}
