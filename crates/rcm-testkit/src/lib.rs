//! rcm-testkit
