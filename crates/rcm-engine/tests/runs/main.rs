//! Whole runs against a cloud of toys: what is in the cloud afterwards, not which functions were called.

mod cloud;
mod faults;
mod lifecycle;
mod recovery;
