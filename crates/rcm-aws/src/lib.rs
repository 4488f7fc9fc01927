//! rcm-aws
