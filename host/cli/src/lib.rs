//! The weir command line.
pub mod job_file;
