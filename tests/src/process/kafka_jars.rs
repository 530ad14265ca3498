//! Apache Kafka as Maven has it: its jars, fetched once into a folder below `target/`.

use super::plugins::target_folder;
use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The release. Tried with this one.
const RELEASE: &str = "4.3.1";
/// What a broker is made of: itself, and what formats its folder.
const ARTEFACTS: [&str; 2] = ["kafka_2.13", "kafka-tools"];

/// The folder of the jars, fetched where they are not there. One process at a time does that.
pub(super) fn kafka_jars() -> Result<PathBuf, String> {
    let folder = target_folder().join("kafka-server");
    let (jars, done) = (folder.join("jars"), folder.join("installed"));
    let failed = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
    let lock = folder.join("lock");
    let held = File::create(&lock).map_err(|error| failed(&lock, error))?;
    held.lock().map_err(|error| failed(&lock, error))?;
    if fs::read_to_string(&done).is_ok_and(|release| release == RELEASE) {
        return Ok(jars);
    }
    eprintln!("fetching Kafka {RELEASE} into {}", folder.display());
    // What another release has left there would be started with it.
    _ = fs::remove_dir_all(&jars);
    let pom = folder.join("pom.xml");
    fs::write(&pom, project()).map_err(|error| failed(&pom, error))?;
    fetch(&folder)?;
    fs::write(&done, RELEASE).map_err(|error| failed(&done, error))?;
    Ok(jars)
}

/// A project that needs a broker and nothing else.
fn project() -> String {
    let mut dependencies = String::new();
    for artefact in ARTEFACTS {
        let (group, version) = ("<groupId>org.apache.kafka</groupId>", format!("<version>{RELEASE}</version>"));
        write!(dependencies, "<dependency>{group}<artifactId>{artefact}</artifactId>{version}</dependency>")
            .expect("a text can be written to");
    }
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId>\
         <version>1</version><dependencies>{dependencies}</dependencies></project>"
    )
}

fn fetch(folder: &Path) -> Result<(), String> {
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars"]).current_dir(folder);
    let output = maven.stdin(Stdio::null()).output().map_err(|error| format!("no Maven (Debian: `apt-get install maven`): {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Err(format!("Maven fails: {}", said.lines().find(|line| line.contains("ERROR")).unwrap_or("it says nothing")))
}
