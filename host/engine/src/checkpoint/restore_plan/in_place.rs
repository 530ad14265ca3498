//! What is said of a change that a running job is to make, or that is only tried beside it: no flag of a start helps there, and nothing is resumed.

use super::{PlannedRestore, Remedy, RestorePlan, TO_BRING_OVER, texts, to_migrate};
use crate::error::{EngineError, ErrorKind};

impl PlannedRestore {
    /// The plan, or the error of a change that is refused; its first line is `refused`.
    pub(crate) fn accepted_in_place(self, refused: &str) -> Result<RestorePlan, EngineError> {
        let Some(remedy) = self.remedy() else { return Ok(self.plan) };
        let gone: Vec<_> = self.plan.left.iter().filter(|left| !left.allowed).collect();
        let others = self.refusals.iter().filter(|refusal| refusal.remedy != Remedy::Drop);
        let lines: Vec<_> = others.map(|refusal| refusal.text.clone()).chain(gone.iter().map(|left| texts::gone(left))).collect();
        let hint = match remedy {
            Remedy::Name => "leave the name out".to_owned(),
            Remedy::Drop | Remedy::GiveUp(_) => {
                let names = gone.iter().map(|left| left.name.as_str()).chain(self.given_up());
                let drops: String = names.map(|name| format!(" --drop-state {name}")).collect();
                format!(
                    "only a start drops state: `weir stop --savepoint`, then name the new plugin in the job file and `weir run JOBFILE{drops}`"
                )
            }
            Remedy::Migrate(version) => to_migrate(version),
            Remedy::BringOver => TO_BRING_OVER.to_owned(),
            Remedy::Newer => "take a plugin that has this version of the state, or a newer one".to_owned(),
            Remedy::Undo => "`weir stop --savepoint` and a changed job file that starts from the savepoint can do more".to_owned(),
        };
        Err(EngineError::new(ErrorKind::FixInput, format!("{refused}\n  {}", lines.join("\n  "))).with_hint(hint))
    }
}
