//! The real binary under faults: started as a process of its own in a folder of its own, watched through the files that it leaves, killed.
//!
//! Nothing in here looks inside: what a test knows of a run is its exit code, its two streams, the job's log and the committed part files.

mod allowed;
mod answering;
mod bench;
mod certificates;
mod children;
mod conversation;
mod job;
mod job_log;
mod kafka_jars;
mod kafka_listeners;
mod kafka_server;
mod keyboard;
mod languages;
mod oci_registry;
mod plugins;
mod postgres_server;
mod proxy;
mod python_environment;
mod running;
mod s3_server;
mod seed;
mod timed_job;
mod timed_rows;
mod tls_front;
mod toolchains;
mod topology;
mod word_count;

pub use allowed::Allowed;
pub use answering::{Answering, Reply, Request, component_manifest, sha256, small_registry};
pub use bench::{Bench, Ended};
pub use certificates::{Authority, Certified};
pub use children::{UsageOfChildren, children_of, is_running, usage_of_children};
pub use conversation::free_pair_of_ports;
pub use job::Job;
pub use job_log::{Checkpoint, JobLogView};
pub use kafka_listeners::{KafkaListeners, PLAIN_USER};
pub use kafka_server::{KafkaAlone, KafkaInUse, KafkaServer};
pub use keyboard::Keyboard;
pub use languages::{check_out, counting_with, flight_delays_in, plugin_in, word_count_in};
pub use oci_registry::OciRegistry;
pub use plugins::{examples, plugin, write_variant};
pub use postgres_server::{PostgresAlone, PostgresInUse, PostgresServer};
pub use proxy::Proxy;
pub use python_environment::python_with;
pub use running::{Running, Signal, wait_until};
pub use s3_server::S3Server;
pub use seed::Seed;
pub use timed_job::TimedJob;
pub use timed_rows::{TimedRow, WindowsOfRows, told_windows, windows_of};
pub use tls_front::TlsFront;
pub use toolchains::{has_clang, has_toolchain, path_with, python_with_zig, write_program, write_zig};
pub use topology::{Start, Topology};
pub use word_count::{Lines, WordCount, differences};
