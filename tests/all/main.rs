//! One integration binary: a file a topic.
