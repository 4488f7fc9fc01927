//! rcm-sandbox
