//! Where a job's objects lie: the port [`Store`], what its URL says, and the implementation over folders, memory and buckets.
//!
//! It knows nothing of what the objects are. What is asked of every implementation is in `conformance`, what may go wrong with one in `FaultyStore`; both are there
//! with the feature `testing` alone.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod decorator;
#[cfg(any(test, feature = "testing"))]
mod faulty_store;
mod large_objects;
mod probe;
mod retry;
mod s3;
mod store;
mod url;

pub use decorator::StoreDecorator;
#[cfg(any(test, feature = "testing"))]
pub use faulty_store::{FaultPlan, FaultyStore};
pub(crate) use probe::probe_create_if_absent;
pub(crate) use retry::{TRIES, back_off, retry};
pub use s3::Variables;
pub use store::{Created, ObjectStorage, Store};
pub use url::{BadStorageUrl, StorageUrl};
