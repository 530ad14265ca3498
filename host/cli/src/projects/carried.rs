//! The files that the binary carries: the SDKs, the world, and what a new project is made of.

/// Their names from the workspace's root, and what is in them.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/carried.rs"));

/// Those in this folder and below, by their names in it.
pub fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FILES.iter().filter_map(move |(name, bytes)| Some((name.strip_prefix(folder)?.strip_prefix('/')?, *bytes)))
}

/// The text of a template.
pub fn template(name: &str) -> &'static str {
    let found = FILES.iter().find(|(file, _)| file.strip_prefix("templates/") == Some(name));
    let (_, bytes) = found.unwrap_or_else(|| panic!("there is no template {name}"));
    std::str::from_utf8(bytes).expect("templates are text")
}
