//! rcm
