//! A folder that is this user's alone: whoever could write there could have this process run any code.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

/// Makes the folder where it is missing, and says where it really is; refuses one that others own or may write to, wherever links led.
pub(super) fn private_dir(folder: &Path) -> io::Result<PathBuf> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let real = std::fs::canonicalize(folder)?;
    let metadata = std::fs::metadata(&real)?;
    if !metadata.is_dir() {
        return Err(io::Error::other("it is not a folder"));
    }
    if !is_private(&metadata) {
        return Err(io::Error::other("it belongs to another user, or others may write to it; `chmod go-w` mends the latter"));
    }
    Ok(real)
}

/// True where it belongs to this user and nobody else may write to it.
#[cfg(unix)]
pub(super) fn is_private(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.uid() == nix::unistd::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

/// True: on other systems a user's folders are the user's.
#[cfg(not(unix))]
pub(super) fn is_private(_: &Metadata) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn with_mode(folder: &Path, mode: u32) -> io::Result<PathBuf> {
        std::fs::create_dir_all(folder)?;
        std::fs::set_permissions(folder, PermissionsExt::from_mode(mode))?;
        private_dir(folder)
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused_through_links_too() {
        let root = tempfile::tempdir().unwrap();
        assert!(private_dir(&root.path().join("new/one")).is_ok());
        for (mode, fine) in [(0o700, true), (0o755, true), (0o775, false), (0o757, false), (0o777, false), (0o1777, false)] {
            let folder = root.path().join(format!("{mode:o}"));
            assert_eq!(with_mode(&folder, mode).is_ok(), fine, "{mode:o}");
            let link = root.path().join(format!("to-{mode:o}"));
            symlink(&folder, &link).unwrap();
            assert_eq!(private_dir(&link).is_ok(), fine, "through a link to {mode:o}");
        }
    }

    #[test]
    fn a_file_in_the_folders_place_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(private_dir(&file).is_err());
    }
}
