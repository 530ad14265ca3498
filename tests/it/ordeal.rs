//! Everything that may happen to a job and the server that it publishes to, blow by blow: each ends with the process killed, and at the end what it has published is
//! there once and in order. Each connector with an outbox has a test that undergoes it.
//!
//! One round over all blows is the least; `WEIR_KILLS=300 cargo test --workspace --test it -- ordeal` goes on until it has killed that often. It says what it did.

use crate::written::Written;
use std::collections::BTreeMap;
use std::time::Duration;
use weir_tests::process::{Bench, Proxy, Running, Seed, Signal, plugin, write_variant};

/// The longest that a process lives before it is killed, once it has come as far as it is let.
const LIFE_MS: u64 = 250;
/// The job reads so few records in a second that it does not come to its end before the last kill.
pub(crate) const SLOWLY: &str = "rate = 200\n";
const RATE: u64 = 200;

/// A server under a job that counts words by its operator `count`, is called `words`, has a `parallelism`, and reads as [`SLOWLY`] as that says.
pub(crate) trait Target {
    /// Kills it.
    fn kill(&self);

    /// Stops it in order.
    fn stop(&self);

    /// Starts it again, with what it had.
    fn begin(&self);

    /// How far each word has been counted. Fails where a count is not the one behind that before it.
    fn counted(&self) -> BTreeMap<String, u64>;

    /// For how long a transaction may be open there that nobody ends, where that is bounded.
    fn transaction_timeout(&self) -> Option<Duration>;
}

/// What happens before the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    /// Nothing: it is killed wherever it is, also in start and takeover.
    Anywhere,
    /// Nothing: it is killed behind a checkpoint of its own.
    BehindACheckpoint,
    /// It kills itself before or after a step, at one of its first passes.
    At(&'static str, &'static str, u64),
    /// The server is killed under it, and comes back before or behind the kill.
    ServerKilled,
    /// The server is stopped in order, and is away while checkpoints go on.
    ServerAway,
    /// Connections are cut in the middle of requests.
    Cut,
    /// Every piece is late.
    Late,
    /// Nothing passes any more, and nobody says so.
    Held,
    /// Nobody is let in.
    ShutOut,
    /// It is held, a successor takes over, and it wakes.
    Zombie,
    /// It is rescaled while it runs.
    Rescaled,
    /// An operator is replaced, and the process may be killed on probation.
    Upgraded,
    /// An operator is replaced by one that traps, and is rolled back.
    RolledBack,
}

const BLOWS: [Blow; 22] = {
    use Blow::*;
    [
        At("take-over", "before", 1),
        At("take-over", "after", 1),
        At("read-marker", "before", 1),
        At("read-marker", "after", 1),
        At("publish", "before", 3),
        At("publish", "after", 3),
        At("put state", "before", 3),
        At("put state", "after", 3),
        At("create log-completed", "before", 3),
        At("create log-completed", "after", 3),
        Anywhere,
        BehindACheckpoint,
        ServerKilled,
        ServerAway,
        Cut,
        Late,
        Held,
        ShutOut,
        Zombie,
        Rescaled,
        Upgraded,
        RolledBack,
    ]
};

/// A job, its server, and what lies between them.
pub(crate) struct Ordeal<'s, T> {
    server: &'s T,
    proxy: &'s Proxy,
    bench: Bench<Written>,
    seed: Seed,
    /// How many components the operator has had.
    versions: u64,
    counted: BTreeMap<String, u64>,
}

/// How many blows there are, and how many records are read until the last one falls, where each takes so many seconds and `before` them so many pass.
pub(crate) fn blows_and_records(before: u64, seconds: u64) -> (usize, u64) {
    let kills = std::env::var("WEIR_KILLS").map_or(0, |kills| kills.parse().expect("WEIR_KILLS is a number"));
    let blows = BLOWS.len().max(kills);
    (blows, (before + seconds * blows as u64) * RATE)
}

impl<'s, T: Target> Ordeal<'s, T> {
    /// Of a job that is written so that it finds the server behind the proxy.
    pub(crate) fn new(server: &'s T, proxy: &'s Proxy, bench: Bench<Written>) -> Self {
        write_variant(&plugin("word-count-count"), &bench.path("v1.wasm"));
        Self { server, proxy, bench, seed: Seed::of_run(), versions: 1, counted: BTreeMap::new() }
    }

    /// Has it undergo so many blows, and come to its end behind them.
    pub(crate) fn undergo(mut self, blows: usize) {
        // The first two are killed around the marker's making, which the others find.
        ["before", "after"].into_iter().for_each(|side| self.kill_at("set-marker", side, 1));
        self.outlive_a_transaction();
        let blows: Vec<Blow> = BLOWS.iter().copied().cycle().take(blows).collect();
        for round in blows.chunks(BLOWS.len()) {
            let mut round = round.to_vec();
            while !round.is_empty() {
                let next = self.seed.draw(..round.len() as u64) as usize;
                self.strike(round.swap_remove(next));
                let parallelism = self.seed.draw(1..=4);
                set_parallelism(&self.bench, parallelism);
            }
            self.assert_in_order();
        }
        self.bench.edit_job(SLOWLY, "");
        self.bench.run_patiently("run job.toml", &[]).assert(0, &["resuming from checkpoint", "finished"]);
        eprintln!("{} kills, {} cuts: each record once and in order", blows.len() + 2, self.proxy.cuts());
    }

    /// The server is away for longer than it lets a transaction be open, and the process lives.
    fn outlive_a_transaction(&mut self) {
        let Some(timeout) = self.server.transaction_timeout() else { return };
        let before = self.bench.log().completed.len();
        let mut process = self.bench.start("run job.toml -q");
        self.runs_to_a_checkpoint(&mut process, before);
        // In the middle of a transaction: what has begun does not go on.
        let (cuts, bytes) = (self.proxy.cuts(), self.seed.draw(..20_000));
        self.proxy.cut_after(bytes);
        assert!(process.runs_until("a cut", || self.proxy.cuts() > cuts));
        self.server.kill();
        assert!(process.runs_for(timeout + Duration::from_secs(2)), "it ended: {}", process.said());
        self.server.begin();
        let published = || self.server.counted().into_values().sum::<u64>();
        let before = published();
        assert!(process.runs_until("more is published", || published() > before), "it ended: {}", process.said());
        assert!(process.kill());
    }

    /// One process, from its start to its kill.
    fn strike(&mut self, blow: Blow) {
        if let Blow::At(step, side, passes) = blow {
            return self.kill_at(step, side, passes);
        }
        let before = self.bench.log().completed.len();
        let mut process = self.bench.start("run job.toml -q");
        if blow != Blow::Anywhere {
            self.runs_to_a_checkpoint(&mut process, before);
        }
        match blow {
            Blow::At(..) | Blow::Anywhere | Blow::BehindACheckpoint => {}
            Blow::ServerKilled => self.kill_server(&mut process),
            Blow::ServerAway => {
                self.server.stop();
                let before = self.bench.log().completed.len();
                self.runs_to_a_checkpoint(&mut process, before + 1);
                self.server.begin();
            }
            Blow::Cut => {
                for _ in 0..self.seed.draw(1..4) {
                    let (cuts, bytes) = (self.proxy.cuts(), self.seed.draw(..20_000));
                    self.proxy.cut_after(bytes);
                    let proxy = &self.proxy;
                    assert!(process.runs_until("a cut", || proxy.cuts() > cuts));
                }
            }
            Blow::Late => {
                let delay = Duration::from_millis(self.seed.draw(1..50));
                self.goes_on_while(&mut process, || self.proxy.delay(delay));
            }
            Blow::Held => self.goes_on_while(&mut process, || self.proxy.hold()),
            Blow::ShutOut => self.goes_on_while(&mut process, || self.proxy.close()),
            Blow::Zombie => process = self.replace(process),
            Blow::Rescaled => {
                let line = format!("rescale words --parallelism {}", self.seed.draw(1..=4));
                self.change(&mut process, &line);
            }
            Blow::Upgraded => self.upgrade(&mut process),
            Blow::RolledBack => {
                let line = format!("upgrade words --operator count --plugin {} --probation 30s", plugin("trapping-count").display());
                let ended = self.bench.run(&line);
                assert!(ended.code == Some(1) && ended.stdout.contains("is rolled back"), "{ended:?}");
            }
        }
        let life = Duration::from_millis(self.seed.draw(..LIFE_MS));
        assert!(process.runs_for(life), "{blow:?}: the process ended: {:?}", process.ended());
        assert!(process.kill(), "{blow:?}: a kill was not what ended the process");
        self.proxy.open();
    }

    fn kill_at(&mut self, step: &str, side: &str, passes: u64) {
        let point = format!("{step} {side} {}", self.seed.draw(1..=passes));
        let ended = self.bench.run_with("run job.toml -q", &[("WEIR_CRASH_AT", &point)]);
        assert_eq!(ended.code, None, "`{point}` is not passed: {ended:?}");
    }

    /// Waits until more than `before` checkpoints are complete.
    fn runs_to_a_checkpoint(&self, process: &mut Running, before: usize) {
        assert!(process.runs_until("a checkpoint", || self.bench.log().completed.len() > before), "it ended: {}", process.said());
    }

    /// What is wrong with the way to the server holds up no checkpoint.
    fn goes_on_while(&self, process: &mut Running, blow: impl FnOnce()) {
        blow();
        let before = self.bench.log().completed.len();
        self.runs_to_a_checkpoint(process, before + 1);
    }

    fn kill_server(&mut self, process: &mut Running) {
        self.server.kill();
        if self.seed.coin() {
            assert!(process.runs_for(Duration::from_millis(self.seed.draw(..LIFE_MS))), "it ended: {}", process.said());
        }
        self.server.begin();
    }

    /// A successor takes over from a process that is held, and that one ends once it wakes.
    fn replace(&mut self, zombie: Running) -> Running {
        zombie.send(Signal::Pause);
        let before = self.bench.log().completed.len();
        let mut successor = self.bench.start("run job.toml -q --takeover");
        self.runs_to_a_checkpoint(&mut successor, before);
        zombie.send(Signal::Continue);
        zombie.ended().assert(1, &["another process has taken it over"]);
        successor
    }

    fn upgrade(&mut self, process: &mut Running) {
        let next = self.versions + 1;
        write_variant(&self.bench.path(&format!("v{}.wasm", self.versions)), &self.bench.path(&format!("v{next}.wasm")));
        self.versions = next;
        let line = format!("upgrade words --operator count --plugin v{next}.wasm --probation {}ms", self.seed.draw(..300));
        self.change(process, &line);
    }

    /// Asks for a change, and waits until it has come about, or does not.
    fn change(&mut self, process: &mut Running, line: &str) {
        let mut command = self.bench.start(line);
        if self.seed.coin() {
            command.ended().assert(0, &[]);
        } else {
            command.runs_for(Duration::from_millis(self.seed.draw(..400)));
        }
        assert!(process.runs(), "`{line}` ended the job: {}", process.said());
    }

    /// Fails where a record is missing, doubled or out of its order, up to where the job has come. A process takes over before: until one has, what a killed one has begun may
    /// keep readers waiting.
    fn assert_in_order(&mut self) {
        let before = self.bench.log().completed.len();
        let mut process = self.bench.start("run job.toml -q");
        self.runs_to_a_checkpoint(&mut process, before + 1);
        let counted = self.server.counted();
        assert!(process.kill());
        let is_behind = |(word, count): (&String, &u64)| counted.get(word).is_some_and(|now| now >= count);
        assert!(self.counted.iter().all(is_behind), "records are gone: {:?}, and now {counted:?}", self.counted);
        self.counted = counted;
    }
}

/// Has the next process of the job run with this parallelism.
fn set_parallelism(bench: &Bench<Written>, parallelism: u64) {
    let job = std::fs::read_to_string(bench.path("job.toml")).expect("a job file");
    let (before, behind) = job.split_once("parallelism = ").expect("it says one");
    let (_, rest) = behind.split_once('\n').expect("a line ends");
    bench.write_job(&format!("{before}parallelism = {parallelism}\n{rest}"));
}

/// What is said where somebody else has published of the same storage.
pub(crate) const COPIED: [&str; 3] =
    ["which the job's log does not have: the storage was copied or restored", "--republish", "--assume-published"];

/// The storage of a job that was killed in front of this chunk, and its copy: some of it is published, and another chunk waits.
#[track_caller]
pub(crate) fn copied<J: weir_tests::process::Job>(first: Bench<J>, chunk: u64) -> [Bench<J>; 2] {
    let killed = first.run_with("run job.toml -q", &[("WEIR_CRASH_AT", &format!("publish before {chunk}"))]);
    assert_eq!(killed.code, None, "{killed:?}");
    let second = first.copied();
    [first, second]
}

/// Two processes of one storage and its copy, which run at the same time: whichever publishes first keeps the other out, which ends. Then the one that goes on is killed; where both have been
/// refused, neither does.
#[track_caller]
pub(crate) fn one_goes_on(mut first: Running, mut second: Running) {
    weir_tests::process::wait_until("one of two is kept out", || !(first.runs() && second.runs()));
    for mut process in [first, second] {
        if process.runs() {
            assert!(process.kill());
        } else {
            process.ended().assert(1, &[]);
        }
    }
}

/// Which of the two it was shows in what is published: one comes to its end, and the other is refused for what that has published, or has done before it.
#[track_caller]
pub(crate) fn one_is_refused<J: weir_tests::process::Job>(first: &Bench<J>, second: &Bench<J>) {
    let ended = [first, second].map(|bench| bench.run("run job.toml"));
    let codes = ended.each_ref().map(|ended| ended.code);
    assert!(codes == [Some(0), Some(1)] || codes == [Some(1), Some(0)], "{ended:?}");
    let refused = ended.iter().find(|ended| ended.code == Some(1)).expect("it was looked at");
    refused.assert(1, &COPIED);
}
