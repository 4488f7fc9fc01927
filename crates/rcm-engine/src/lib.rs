//! rcm-engine
