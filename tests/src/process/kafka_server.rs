//! A Kafka broker for tests: Apache's own in KRaft mode, and `confluent-kafka` from PyPI as a client that has nothing to do with weir. One that nobody kills is started for each
//! process of tests, and others by `kafka_alone` for tests that do; none outlives it, however that ends. A machine that cannot have one skips the tests that need it, and says so;
//! with `WEIR_REQUIRE_SERVERS` in the environment that is a failure.

use super::conversation::{Conversation, free_ports};
use super::kafka_jars::kafka_jars;
use super::kafka_listeners::KafkaListeners;
use super::proxy::Proxy;
use super::python_environment::python_with;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The client. Tried with this version.
const CLIENT: &str = "confluent-kafka==2.16.1";
/// Runs the broker as it is told, line by line; when nobody can tell it anything any more, it kills it and clears its folder away.
const BROKER: &str = r#"
stop() { [ -z "$broker" ] || { kill -9 $broker; wait $broker; } 2>/dev/null; broker=; }
while read -r order; do
  case $order in
    begin*) java -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$1/*" kafka.Kafka "$2/server.properties" ${order#begin} >>"$2/log" 2>&1 </dev/null & broker=$! ;;
    kill) stop ;;
    stop) kill $broker; wait $broker; broker= ;;
    hold) kill -STOP $broker ;;
    release) kill -CONT $broker ;;
    empty\ *) rm -f "$2/data/${order#empty }-0"/*.log "$2/data/${order#empty }-0"/*.index "$2/data/${order#empty }-0"/*.timeindex "$2/data/${order#empty }-0"/*.snapshot ;;
  esac
  echo done
done
stop
rm -rf "$2"
"#;
/// How long a broker may take to answer, in seconds. It takes eight on two cores that have nothing else to do.
const STARTED_WITHIN: u64 = 120;

/// A running broker.
pub struct KafkaServer {
    port: u16,
    listeners: KafkaListeners,
    jars: PathBuf,
    /// The shell that runs it.
    broker: Mutex<Conversation>,
    client: Mutex<Conversation>,
    /// Made for the first who asks.
    proxy: OnceLock<Proxy>,
}

impl KafkaServer {
    /// The broker of this process of tests, which all share and nobody kills; `None` on a machine that cannot have one.
    pub fn in_use() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<KafkaServer>> = OnceLock::new();
        SERVER.get_or_init(Self::started).as_ref()
    }

    /// A broker; `None`, which is said, on a machine that cannot have one.
    pub(super) fn started() -> Option<Self> {
        let said = |why: String| {
            assert!(std::env::var_os("WEIR_REQUIRE_SERVERS").is_none(), "Kafka is to be tested, and cannot be: {why}");
            eprintln!("Kafka is not tested: {why}");
        };
        Self::start().map_err(said).ok()
    }

    fn start() -> Result<Self, String> {
        let (python, jars) = (python_with("kafka-client", CLIENT)?, kafka_jars()?);
        let folder = tempfile::tempdir().map_err(|error| format!("make a folder: {error}"))?.keep();
        let [port, controller, others @ ..]: [u16; 7] = free_ports().ok_or("no port is free")?;
        let listeners = KafkaListeners::new(others, &folder)?;
        fs::write(folder.join("server.properties"), settings(port, controller, &listeners, &folder))
            .map_err(|error| format!("write its settings: {error}"))?;
        format_folder(&jars, &folder)?;
        let mut shell = Command::new("sh");
        shell.args(["-c", BROKER, "sh"]).arg(&jars).arg(&folder);
        let mut client = Command::new(python);
        client.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/kafka_client.py")).arg(format!("127.0.0.1:{port}"));
        let (broker, client) = (Conversation::begin(shell)?, Conversation::begin(client)?);
        let server = Self { port, listeners, jars, broker: Mutex::new(broker), client: Mutex::new(client), proxy: OnceLock::new() };
        server.order("begin");
        match server.ready() {
            Ok(()) => Ok(server),
            Err(why) => {
                let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
                Err(format!("the broker does not answer: {why}: {}", log.lines().last().unwrap_or("it says nothing")))
            }
        }
    }

    /// Has the shell do something with the broker.
    pub(super) fn order(&self, order: &str) {
        let mut broker = self.broker.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(broker.say(order).as_deref(), Some("done"), "{order}");
    }

    /// Waits until it answers, or says why it does not.
    pub(super) fn ready(&self) -> Result<(), String> {
        self.asked(&json!({ "do": "wait_until_ready", "within": STARTED_WITHIN })).map(|_| ())
    }

    /// What the client answers.
    fn asked(&self, request: &Value) -> Result<Value, String> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = client.say(&request.to_string()).ok_or("the client has ended")?;
        let mut answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        match answer["failed"].as_str() {
            Some(why) => Err(why.to_owned()),
            None => Ok(answer["done"].take()),
        }
    }

    /// Has the client do something: `tests/servers/kafka_client.py` says what there is.
    #[track_caller]
    pub fn client(&self, request: &Value) -> Value {
        self.asked(request).unwrap_or_else(|why| panic!("{}: {why}", request["do"]))
    }

    /// What a program of Kafka's own prints, which is told where the broker is and is given `input`.
    #[track_caller]
    pub fn java(&self, class: &str, arguments: &[&str], input: &str) -> String {
        let mut java = java(&self.jars);
        java.args([class, "--bootstrap-server", &self.brokers()]).args(arguments);
        let mut child = java.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{class} {arguments:?}: {}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }

    /// Where it is, as a job file has it.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its other listeners.
    pub fn listeners(&self) -> &KafkaListeners {
        &self.listeners
    }

    /// A proxy that stands between a client and the broker, for both of a job's ends.
    pub fn proxy(&self) -> &Proxy {
        self.proxy.get_or_init(|| self.listeners.proxy())
    }

    /// A name that nobody else has, at any broker.
    pub fn name(&self) -> String {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        format!("topic-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a topic that nobody else has, with so many partitions.
    #[track_caller]
    pub fn topic(&self, partitions: u32) -> String {
        let topic = self.name();
        self.client(&json!({ "do": "create", "topic": topic, "partitions": partitions }));
        topic
    }

    /// Writes messages: `value`, and `key`, `partition`, `timestamp`, `headers` where they matter.
    #[track_caller]
    pub fn produce(&self, topic: &str, messages: &[Value]) {
        self.client(&json!({ "do": "produce", "topic": topic, "messages": messages }));
    }

    /// The committed messages of a topic, partition by partition and in order: each with all that it has.
    #[track_caller]
    pub fn committed(&self, topic: &str) -> Vec<Value> {
        match self.client(&json!({ "do": "committed", "topic": topic })) {
            Value::Array(messages) => messages,
            other => panic!("{other} is no list"),
        }
    }
}

/// Its settings. Nothing is deleted for its age: tests write records of 1970. Who says no name may do everything, and others as well with what nothing is said of.
fn settings(port: u16, controller: u16, listeners: &KafkaListeners, folder: &Path) -> String {
    let plain = format!("PLAINTEXT://127.0.0.1:{port}");
    let all = listeners.settings(&format!("{plain},CONTROLLER://127.0.0.1:{controller}"), &plain);
    let data = folder.join("data");
    format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
         {all}controller.listener.names=CONTROLLER\nlog.dirs={}\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\ntransaction.state.log.num.partitions=1\n\
         group.initial.rebalance.delay.ms=0\nauto.create.topics.enable=false\nlog.retention.ms=-1\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\nsuper.users=User:ANONYMOUS\nallow.everyone.if.no.acl.found=true\n",
        data.display()
    )
}

/// A Java that starts quickly and ends soon.
fn java(jars: &Path) -> Command {
    let mut java = Command::new("java");
    java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]).arg(format!("{}/*", jars.display()));
    java
}

fn format_folder(jars: &Path, folder: &Path) -> Result<(), String> {
    let mut java = java(jars);
    // The id of its cluster, which no other has: 16 bytes as base64 writes them.
    let id: String = std::iter::repeat_with(fastrand::alphanumeric).take(20).chain("Qg".chars()).collect();
    java.args(["kafka.tools.StorageTool", "format", "-t", &id, "-c"]).arg(folder.join("server.properties"));
    let output =
        java.stdin(Stdio::null()).output().map_err(|error| format!("no Java (Debian: `apt-get install default-jre-headless`): {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("format its folder: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
