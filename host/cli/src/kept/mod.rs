//! Checkpoints that a command reads while their job may go on: held by a lease where the job can be asked, and told as deleted where it deletes one all the same.

mod deletion;
mod held;

pub(crate) use deletion::{deleted, is_deletion, told_of_deletion};
pub(crate) use held::Held;
