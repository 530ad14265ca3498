//! A registry for tests: go-containerregistry's own, which keeps what it has in memory, and `crane`, its client. Go installs both below `target/`, once.

use super::plugins::target_folder;
use super::toolchains::{has_toolchain, is_missing, tried};
use super::wait_until;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// What is installed. Tried with this version.
const MODULE: &str = "github.com/google/go-containerregistry";
const VERSION: &str = "v0.22.1";

/// A running registry. Dropping it ends it, with all that it has.
pub struct OciRegistry {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl OciRegistry {
    /// Starts one; `None` on a machine that cannot have one, which is said on standard error, or an error where every language is to be tested.
    pub fn start() -> Option<Self> {
        static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
        let said = |why: String| is_missing("what is in a registry", &why);
        let folder = INSTALLED.get_or_init(|| has_toolchain("go").then(|| install().map_err(said).ok()).flatten()).clone()?;
        // It takes no port of its own choice, and another may take the one that is free by now.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
            let mut command = Command::new(folder.join("registry"));
            command.args(["-port", &port.to_string()]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().expect("the registry starts");
            let mut ended = false;
            wait_until("a registry", || {
                ended = child.try_wait().expect("the state of a child can be asked for").is_some();
                ended || TcpStream::connect(("127.0.0.1", port)).is_ok()
            });
            if !ended {
                return Some(Self { child, port, folder });
            }
        }
        panic!("the registry finds no port");
    }

    /// Its host, as a reference has it.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What `crane` prints, another client of registries.
    #[track_caller]
    pub fn crane(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new(self.folder.join("crane")).args(arguments).arg("--insecure").output().expect("crane starts");
        assert!(output.status.success(), "crane {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

impl Drop for OciRegistry {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The folder of both programs, installed where they are not. One process at a time does that.
fn install() -> Result<PathBuf, String> {
    let target = target_folder();
    let folder = target.join("oci-registry");
    let done = folder.join("installed");
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
    let lock = target.join("oci-registry.lock");
    let held = File::create(&lock).map_err(|error| failed(&lock, error))?;
    held.lock().map_err(|error| failed(&lock, error))?;
    if fs::read_to_string(&done).is_ok_and(|what| what == VERSION) {
        return Ok(folder);
    }
    eprintln!("installing {MODULE} {VERSION} into {}", folder.display());
    for program in ["registry", "crane"] {
        let mut command = Command::new("go");
        command.arg("install").arg(format!("{MODULE}/cmd/{program}@{VERSION}")).env("GOBIN", std::path::absolute(&folder).expect("a path"));
        tried(&format!("to install {program}"), || {
            let output = command.output().map_err(|error| format!("go: {error}"))?;
            let said = String::from_utf8_lossy(&output.stderr);
            let last = || said.trim().lines().last().unwrap_or("it says nothing").to_owned();
            if output.status.success() { Ok(()) } else { Err(format!("go install fails: {}", last())) }
        })?;
    }
    fs::write(&done, VERSION).map_err(|error| failed(&done, error))?;
    Ok(folder)
}
