//! Which registries are spoken to without encryption: this machine's own, and those that the user names.

use crate::job_file::OciReference;

/// Registries that are spoken to without encryption, parted by commas.
const INSECURE: &str = "WEIR_INSECURE_REGISTRIES";

/// How registries are spoken to.
#[derive(Clone, Debug, Default)]
pub struct Access {
    insecure: Vec<String>,
    /// Whichever it is.
    insecure_http: bool,
}

impl Access {
    /// As the environment of this process says, and without encryption where `insecure_http` does.
    pub fn of_process(insecure_http: bool) -> Self {
        Self::new(&std::env::var(INSECURE).unwrap_or_default(), insecure_http)
    }

    fn new(named: &str, insecure_http: bool) -> Self {
        let insecure = named.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Self { insecure, insecure_http }
    }

    /// True where the reference's registry is spoken to without encryption.
    pub fn is_plain(&self, reference: &OciReference) -> bool {
        self.insecure_http || reference.is_local() || self.insecure.contains(&reference.registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_spoken_to_without_encryption_only_where_it_is_local_or_named() {
        let plain = |access: &Access, written: &str| access.is_plain(&OciReference::parse(written).expect("a reference"));
        let named = Access::new(" a.example:5000 ,,b.example", false);
        assert!(plain(&named, "a.example:5000/x:1") && plain(&named, "b.example/x:1") && plain(&named, "localhost:1/x:1"));
        assert!(!plain(&named, "a.example/x:1") && !plain(&named, "c.a.example:5000/x:1"));
        assert!(plain(&Access::new("", true), "c.example/x:1") && !plain(&Access::new("", false), "c.example/x:1"));
    }
}
