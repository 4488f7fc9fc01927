//! rcm

pub mod config;
