//! Writes components: of what a compiler has made, once that is known to be a plugin of this weir.

use std::io::Write;
use std::path::{Path, PathBuf};
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::{PluginInfo, WasmEngine, pack_named};

/// Writes the component that a core module stands for, or that there is already, to `component`. What the plugin declares.
pub fn write_component(module: &Path, component: &Path, engine: &WasmEngine) -> Result<PluginInfo, EngineError> {
    let name = module.display().to_string();
    let bytes = weir_wasm::read_plugin(module)?;
    let (packed, info) = pack_named(&name, &bytes, engine)?;
    write_whole(component, &packed)
        .map_err(|error| EngineError::new(ErrorKind::FixInput, format!("write the component {}: {error}", component.display())))?;
    Ok(info)
}

/// Beside its place first: what stands there is whole, or what stood there before. A link is followed and stays a link; what is there and is no regular file is
/// refused: it would be replaced by one.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let path = &led_to(path)?;
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(std::io::Error::other("it is there, and is no regular file"));
    }
    let name = path.file_name().ok_or_else(|| std::io::Error::other("it names no file"))?;
    let mut beside = std::ffi::OsString::from(format!(".{}-", std::process::id()));
    beside.push(name);
    let beside = path.with_file_name(beside);
    let write = || {
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(bytes)?;
        std::fs::rename(&beside, path)
    };
    write().inspect_err(|_| _ = std::fs::remove_file(&beside))
}

/// Links that are followed to a file that is not there yet.
const LINKS_MAX: usize = 40;

/// Where the links lead that `path` begins with; itself where it is none.
fn led_to(path: &Path) -> std::io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        if !std::fs::symlink_metadata(&path).is_ok_and(|there| there.is_symlink()) {
            return Ok(path);
        }
        let target = std::fs::read_link(&path)?;
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(std::io::Error::other("it is a link that leads nowhere"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{FileTypeExt, symlink};

    #[test]
    fn a_component_is_written_to_where_a_link_leads_and_the_link_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("inner")).expect("a folder");
        fs::write(at("inner/real"), "old").expect("written");
        symlink("inner/real", at("link")).expect("a link");
        symlink("link", at("second")).expect("a link");
        symlink("inner/new", at("ahead")).expect("a link");
        for (path, led_to) in [("second", "inner/real"), ("ahead", "inner/new"), ("plain", "plain")] {
            write_whole(&at(path), b"component").expect("written");
            assert_eq!(fs::read(at(led_to)).expect("a file"), b"component", "{path}");
        }
        for link in ["link", "second", "ahead"] {
            assert!(fs::symlink_metadata(at(link)).expect("it is there").is_symlink(), "{link}");
        }
        assert_eq!(fs::read_dir(at("inner")).expect("a folder").count(), 2, "nothing is left beside them");
    }

    #[test]
    fn what_is_there_and_is_no_regular_file_stays_what_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let (fifo, link) = (folder.path().join("fifo"), folder.path().join("link"));
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        symlink(&fifo, &link).expect("a link");
        for path in [&fifo, &link, &folder.path().to_owned()] {
            let error = write_whole(path, b"component").expect_err("it is refused");
            assert_eq!(error.to_string(), "it is there, and is no regular file", "{}", path.display());
        }
        assert!(fs::symlink_metadata(&fifo).expect("it is there").file_type().is_fifo());
        symlink(folder.path().join("round"), folder.path().join("round")).expect("a link");
        assert!(write_whole(&folder.path().join("round"), b"component").is_err());
    }
}
