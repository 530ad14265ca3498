//! The shape in which a job starts: its file, with what was changed while the job ran before.
//!
//! A rescale and an upgrade hold until the job file is changed there. From then on the file holds, and goes on to hold where it comes back to what it said before:
//! the start that finds it changed notes in the log that the change is over.

use super::change::{Shape, fix_input};
use crate::assemble::Assembly;
use crate::failure::Failure;
use crate::job_file::JobFile;
use crate::plugins::{Compiler, PluginOrigin, PluginOrigins, digest_of};
use bytes::Bytes;
use std::collections::BTreeMap;
use weir_engine::checkpoint::{Override, Replaced, paths};
use weir_engine::job::{History, StartMode};
use weir_engine::state::MAX_PARALLELISM_LIMIT;
use weir_engine::{EngineError, ErrorKind};

/// What a job starts as.
pub(crate) struct Started {
    pub shape: Shape,
    /// The shape's.
    pub assembly: Assembly,
    /// What the job file has put an end to.
    pub overruled: Vec<Override>,
}

impl Started {
    /// Where the job file has changed since something was changed by hand, the file wins. `stored` reads an object of the job's storage.
    pub fn of(
        (job, compiler): (&JobFile, Compiler),
        plugins: PluginOrigins,
        (history, start): (&History, &StartMode),
        stored: impl Fn(&str) -> Result<Option<Bytes>, EngineError>,
        notice: &dyn Fn(&str),
    ) -> Result<Self, Failure> {
        let (mut shape, renames) = (Shape::of(job.clone(), plugins, compiler), job.renames());
        let mut overruled = Vec::new();
        for change in history.overrides(start).0 {
            let (parallelism, component) = match renames.iter().find(|(_, was)| **was == change.vertex) {
                Some((new, _)) => shape.renamed(new, &change, notice)?,
                None => (!shape.keeps_parallelism(&change, notice), !shape.keeps_component(&change, &stored, notice)?),
            };
            overruled.extend(change.overruled(parallelism, component));
        }
        let assembly = shape.assemble()?;
        for vertex in &assembly.graph.vertices {
            if let Some(digest) = digest_of(vertex) {
                // Of an operator that runs another component the file's is known already.
                shape.digests.entry(vertex.id.clone()).or_insert(digest);
            }
        }
        Ok(Self { shape, assembly, overruled })
    }
}

impl Shape {
    /// As the job file says.
    fn of(file: JobFile, plugins: PluginOrigins, compiler: Compiler) -> Self {
        let (digests, parallelism, upgraded_to) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { file, plugins, digests, parallelism, components: Vec::new(), upgraded_to, compiler }
    }

    /// What a running job was changed to holds for the step that was changed, by its id. A renamed one has what its file says; where that is still the component that
    /// an upgrade has replaced, it would go back in silence, and is refused. Says what of the change is over: its parallelism, and its component.
    fn renamed(&self, id: &str, change: &Override, notice: &dyn Fn(&str)) -> Result<(bool, bool), Failure> {
        let Override { vertex: was, parallelism, component, .. } = change;
        let parallelism = parallelism.as_ref().filter(|change| change.replaces());
        if let Some(Replaced { now, .. }) = parallelism {
            notice(&format!("{id}: parallelism {now} was that of {was} by a rescale; of a step that is renamed the job file's holds"));
        }
        let Some(Replaced { file, now }) = component.as_ref().filter(|change| change.replaces()) else {
            return Ok((parallelism.is_some(), false));
        };
        if !self.plugins.contains_key(id) || self.plugin(id)?.component().digest != *file {
            return Ok((parallelism.is_some(), true));
        }
        let message =
            format!("{id} was {was}, whose component is {now} by an upgrade; the job file still names {file}, which that replaced");
        let hint = format!("name the component of the upgrade in the job file (the job's storage keeps it as {})", paths::plugin(now));
        Err(fix_input(message).with_hint(hint).about_steps(vec![id.to_owned()]).into())
    }

    /// Takes the parallelism of a rescale in place of the file's; false where the file says something else by now.
    fn keeps_parallelism(&mut self, change: &Override, notice: &dyn Fn(&str)) -> bool {
        let Override { vertex: id, parallelism: Some(Replaced { file, now }), .. } = change else { return true };
        if file == now {
            return true;
        }
        let (said, holds) = (self.file.said_parallelisms(), self.file.parallelisms());
        let (Some(said), Some(of_file)) = (said.get(id), holds.get(id)) else { return false };
        // Logs of before say what the machine had where the file said nothing.
        if said != file && !(*said == 0 && of_file == file) {
            if of_file != now {
                notice(&format!("{id}: the job file says parallelism {of_file} by now; the rescale to {now} does not count any more"));
            }
            return false;
        }
        if (1..=MAX_PARALLELISM_LIMIT).contains(now) {
            notice(&format!("{id}: parallelism {now} by a rescale; the job file says {of_file}"));
            self.parallelism.insert(id.clone(), *now);
        } else {
            // Logs of older versions have what could never be deployed.
            notice(&format!("{id}: parallelism {now} by a rescale cannot be; the job file's {of_file} holds"));
        }
        true
    }

    /// Runs the component of an upgrade in place of the file's; false where the file names one otherwise by now.
    fn keeps_component(
        &mut self,
        change: &Override,
        stored: &impl Fn(&str) -> Result<Option<Bytes>, EngineError>,
        notice: &dyn Fn(&str),
    ) -> Result<bool, Failure> {
        let Override { vertex: id, component: Some(Replaced { file, now }), named: place, pin, .. } = change else { return Ok(true) };
        let Some(origin) = self.plugins.get(id) else { return Ok(file == now) };
        let named = self.plugin(id)?.component().digest.clone();
        if let PluginOrigin::Stored { .. } = origin {
            // A component that is kept, with the checkpoint or by the upgrade, stands in for what the file names, and is not named there.
            self.digests.insert(id.clone(), file.clone());
            self.upgraded_to.extend(pin.iter().filter(|pin| pin.component == named).map(|pin| (id.clone(), pin.clone())));
            return Ok(true);
        }
        let of_reference = match origin {
            PluginOrigin::Referenced(found) => Some(found.reference.clone()),
            PluginOrigin::File(_) | PluginOrigin::Stored { .. } => None,
        };
        self.digests.insert(id.clone(), named.clone());
        if file == now {
            return Ok(true);
        }
        let is_same_place = place.as_deref().is_none_or(|place| self.file.plugin_of(id) == Some(place));
        if !is_same_place || named != *file {
            if named != *now {
                notice(&format!("{id}: the job file names its component anew by now; the upgrade does not count any more"));
            }
            return Ok(false);
        }
        let short = |digest: &str| digest.chars().take(8).collect::<String>();
        let names = match of_reference {
            Some(reference) => format!("{reference} was {} when this began", short(file)),
            None => format!("the job file names {}", short(file)),
        };
        notice(&format!("{id}: component {} by an upgrade; {names}", short(now)));
        let name = paths::plugin(now);
        let bytes = stored(&name)?.ok_or_else(|| {
            EngineError::new(ErrorKind::Corrupt, format!("{id}: the component {name} is missing from the job's storage"))
                .with_hint("name the new component in the job file")
        })?;
        self.plugins.insert(id.clone(), PluginOrigin::Stored { name, digest: now.clone(), bytes });
        self.upgraded_to.extend(pin.iter().map(|pin| (id.clone(), pin.clone())));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job_file::{SourceText, parse};
    use crate::terminal::Screen;
    use std::path::Path;
    use weir_engine::checkpoint::{LineageRoot, LogEntry};
    use weir_engine::element::{AttemptId, CheckpointId};

    /// The parallelism with which `a` starts on a machine of so many processors, and whether the rescale is over, behind one from `file` to 5.
    fn started(says: &str, cores: u32, file: u32) -> (u32, bool) {
        let text = format!(
            "name = \"j\"\n[source.in]\nconnector = \"generator\"\n[operator.a]\nnative = \"pass-through\"\ninput = \"in\"\n{says}\
             [sink.out]\nconnector = \"blackhole\"\ninput = \"a\"\n"
        );
        let job = parse(SourceText { name: "job.toml".into(), text: text.into() }, Path::new("/jobs"), cores).expect("a fine job");
        let (attempt, nonce, checkpoint_id) = (AttemptId(1), "n".to_owned(), CheckpointId(1));
        let rescale = Override { vertex: "a".into(), parallelism: Some(Replaced { file, now: 5 }), ..Override::default() };
        let history = History::of(&[
            LogEntry::Attempt {
                attempt,
                nonce: nonce.clone(),
                lineage: attempt,
                lineage_nonce: None,
                root: LineageRoot::Fresh,
                restored: None,
                probation: false,
                pinned: Vec::new(),
                overruled: Vec::new(),
                started_ms: 0,
            },
            LogEntry::Override { attempt, nonce, checkpoint_id, overrides: vec![rescale], probation: false, changed_ms: 0 },
        ]);
        let compiler = Compiler::new(Screen::of_process(true), false);
        let begun = Started::of((&job, compiler), PluginOrigins::new(), (&history, &StartMode::Resume), |_| Ok(None), &|_| {});
        let Started { assembly, overruled, .. } = begun.unwrap_or_else(|failure| panic!("{}", failure.text()));
        let a = assembly.graph.vertices.iter().find(|vertex| vertex.id == "a").expect("it is there");
        (a.parallelism, !overruled.is_empty())
    }

    #[test]
    fn a_rescale_holds_on_a_machine_with_other_processors_and_not_where_the_file_says_otherwise() {
        assert_eq!(started("", 2, 0), (5, false));
        assert_eq!(started("", 1, 0), (5, false), "the file says nothing, as it did");
        assert_eq!(started("", 2, 2), (5, false), "as logs of before have it");
        assert_eq!(started("parallelism = 2\n", 1, 2), (5, false));
        assert_eq!(started("parallelism = 3\n", 1, 0), (3, true), "it has come to say something");
        assert_eq!(started("", 1, 3), (1, true), "it says nothing any more");
    }
}
